"""The runs that a command names: run directories, or a `compare` folder with one for each variant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.comparison.comparison import RESULT


def named_runs(paths: Sequence[Path]) -> dict[str, Path]:
    """The run directories by a short name: that of the folder, with as many parents as make it unique.

    A folder is the same however it is written. Raises BadInput if one is named twice, or if a comparison is
    unfinished or its result damaged.
    """
    folders = [folder for path in paths for folder in _runs_in(path)]
    known: dict[Path, Path] = {}
    for folder in folders:
        real = folder.resolve()
        if real in known:
            again = "twice" if known[real] == folder else f"twice, as {known[real]} too"
            raise BadInput(f"RUN: expected different runs, got {folder} {again}")
        known[real] = folder
    whole = [_written_out(folder) for folder in folders]
    named = {}
    for folder, absolute in zip(folders, whole, strict=True):
        length = next(
            (
                length
                for length in range(1, len(absolute.parts) + 1)
                if sum(other.parts[-length:] == absolute.parts[-length:] for other in whole) == 1
            ),
            len(absolute.parts),
        )
        named["/".join(absolute.parts[-length:])] = folder
    return named


def _written_out(folder: Path) -> Path:
    """The absolute path. Its last part is the name that the user gave, also of a link."""
    return folder.resolve() if ".." in folder.parts else folder.absolute()


def _runs_in(path: Path) -> list[Path]:
    try:
        saved = json.loads((path / RESULT).read_text(encoding="utf-8"))
        return [path / str(row["name"]) for row in saved["rows"]]
    except (FileNotFoundError, NotADirectoryError):
        return [path]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path / RESULT}: expected the result of `staragents compare`, got {error!r}"
        ) from error
