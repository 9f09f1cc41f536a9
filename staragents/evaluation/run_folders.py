"""The runs that a command names: run directories, or a `compare` folder with one for each variant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.comparison.comparison import RESULT


def named_runs(paths: Sequence[Path]) -> dict[str, Path]:
    """The run directories by a short name: that of the folder, with as many parents as make it unique.

    Raises BadInput if a folder is named twice, or if a comparison is unfinished or its result damaged.
    """
    folders = [folder for path in paths for folder in _runs_in(path)]
    whole = [folder.absolute() for folder in folders]
    if repeated := [str(folder) for folder in folders if whole.count(folder.absolute()) > 1]:
        raise BadInput(f"RUN: expected different runs, got {repeated[0]} twice")
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
