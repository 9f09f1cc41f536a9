"""Folders that tests read from."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
FAKE = ROOT / "configs" / "fake.yaml"
SUPPORT = ROOT / "tests" / "support"
SHARED = ROOT.parent / "shared" / "data"
"""Data that is not part of the project; tests that need it are skipped without it."""
