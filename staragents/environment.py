"""Every environment variable that staragents reads, with its type, default and meaning."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """`STARAGENTS_CACHE`: where converted models are kept. Default: the user's cache folder."""
    if path := os.environ.get("STARAGENTS_CACHE"):
        return Path(path).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "staragents"


def ray_address() -> str | None:
    """`RAY_ADDRESS`: the cluster to join. Unset: a local Ray that lives as long as the command."""
    return os.environ.get("RAY_ADDRESS") or None


def debug() -> bool:
    """`STARAGENTS_DEBUG`: 1 shows the tracebacks of errors. Default: 0."""
    return os.environ.get("STARAGENTS_DEBUG", "0") not in ("", "0")


def set_debug() -> None:
    """As if `STARAGENTS_DEBUG` were 1."""
    os.environ["STARAGENTS_DEBUG"] = "1"


def secret(name: str) -> str | None:
    """An API key by the name a config gives in `api_key_env`. Never log what this returns."""
    return os.environ.get(name) or None


def hub_token() -> str | None:
    """`HF_TOKEN`: a token of the Hugging Face hub that may write. Never log what this returns."""
    return os.environ.get("HF_TOKEN") or None


def test_qdrant_url() -> str | None:
    """`STARAGENTS_TEST_QDRANT_URL`: a real Qdrant server for the tests that need one."""
    return os.environ.get("STARAGENTS_TEST_QDRANT_URL") or None
