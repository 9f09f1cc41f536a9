"""Which file `seeds.path` means."""

from __future__ import annotations

import difflib
from pathlib import Path

from staragents.errors import BadInput

BUNDLED = {"bundled:self-instruct": "self_instruct_seeds.jsonl"}


def seed_path(path: str) -> Path:
    """The file behind `seeds.path`; a relative one starts at the working directory.

    Raises BadInput with the dotted key if there is no such file.
    """
    if path.startswith("bundled:"):
        if path not in BUNDLED:
            near = difflib.get_close_matches(path, BUNDLED, n=1, cutoff=0.0)
            raise BadInput(f"seeds.path: expected a bundled file such as {near[0]}, got {path}")
        return Path(__file__).parents[1] / "data" / BUNDLED[path]
    if not path.strip():
        raise BadInput("seeds.path: expected a JSONL or JSON file, got nothing")
    file = Path(path).expanduser()
    if file.is_file():
        return file
    if file.is_dir():
        raise BadInput(f"seeds.path: expected a JSONL or JSON file, got the folder {path}")
    problem = "something that is no file" if file.exists() else "no such file"
    raise BadInput(f"seeds.path: expected a JSONL or JSON file, got {problem}: {path}")
