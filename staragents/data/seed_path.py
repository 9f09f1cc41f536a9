"""Resolves `seeds.path`."""

from __future__ import annotations

import difflib
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.data.readers.data_files import SEEDS
from staragents.data.readers.locations import check_location

BUNDLED = {"bundled:self-instruct": "self_instruct_seeds.jsonl"}
SETTING = SEEDS


def seed_path(path: str, setting: str = SETTING) -> str:
    """The path for `setting`; relative paths start at the working directory.

    Uses no network. Raises BadInput with the setting if a local path does not exist.
    """
    if path.startswith("bundled:"):
        if path not in BUNDLED:
            near = difflib.get_close_matches(path, BUNDLED, n=1, cutoff=0.0)
            raise BadInput(f"{setting}: expected a bundled file such as {near[0]}, got {path}")
        return str(Path(__file__).parent / BUNDLED[path])
    if not path.strip():
        raise BadInput(f"{setting}: expected a file, a folder, a pattern or a URL, got nothing")
    check_location(path, setting)
    return path
