"""Checksum of facts, by which saved work is recognised."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict


def digest_of(facts: object) -> str:
    """sha256 of JSON values, and of dataclasses as their fields. It must never change, or finished work would
    be repeated. Raises TypeError for other values."""
    return hashlib.sha256(json.dumps(facts, default=asdict).encode()).hexdigest()
