"""Finds files on local disks: below a folder, by a pattern, and what a message says about those that are not
there."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.data.readers.raw_row import shown

EXPECTED = "a file, a folder, a pattern, a URL such as s3://bucket/file, or hf:dataset"
NAMES_SHOWN = 3
MAGIC = re.compile(r"[*?[]")


def files_below(folder: Path) -> Iterable[Path]:
    """Files and broken links."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and _is_file_or_broken(file := Path(parent, name)):
                yield file


def files_matching(pattern: Path) -> list[Path]:
    """The files and broken links that a pattern means."""
    relative = pattern.relative_to(pattern.anchor)
    # Unlike glob.glob, Path.glob follows no symbolic links for **, so it can't loop.
    return sorted(file for file in Path(pattern.anchor).glob(str(relative)) if _is_file_or_broken(file))


def newest_snapshot(folder: Path) -> Path:
    """The newest files of a dataset in the hub's cache, which keeps all versions side by side."""
    try:
        revision = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return folder
    newest = folder / "snapshots" / revision
    return newest if revision and newest.is_dir() else folder


def first_names(folder: Path) -> str:
    """The first files of a folder without data, for a message."""
    names = sorted(found.relative_to(folder).as_posix() for found in files_below(folder))
    return ", ".join(shown(name).strip("'") for name in names[:NAMES_SHOWN]) + ", ..." * (
        len(names) > NAMES_SHOWN
    )


def similar_name(location: Path) -> str:
    """A file beside a missing one whose name is alike, for a message."""
    try:
        names = [found.name for found in location.parent.iterdir()]
    except OSError:
        return ""
    near = difflib.get_close_matches(location.name, names, n=1, cutoff=0.8)
    return f" (did you mean {shown(near[0])}?)" if near else ""


def check_links(files: Iterable[Path], setting: str) -> None:
    """Raises BadInput for a link to nothing: without it, a folder would be read in part."""
    if broken := next(filter(_is_broken, files), None):
        raise BadInput(f"{setting}: expected {EXPECTED}, got a broken symbolic link: {broken}")


def _is_file_or_broken(path: Path) -> bool:
    return path.is_file() or _is_broken(path)


def _is_broken(path: Path) -> bool:
    return path.is_symlink() and not path.exists()
