"""Files that a run or a score command writes: no data of the folder in which its output lies.

Otherwise the command, resumed, would read other data than it began with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import PurePosixPath

PARTS_SUFFIX, PARTS_FACTS = ".parts", "command.json"
"""Of the folder in which a score command saves its progress, and of a file in it."""
RUN_STATE = "run_state.json"


def without_outputs(names: Iterable[str], exists: Callable[[str], bool]) -> list[str]:
    """Those of the relative `names` that are in no folder of a run or of a score command's progress. `exists`
    tells whether there is a file of a relative name."""

    @cache
    def is_output(folder: PurePosixPath) -> bool:
        saves_scores = folder.suffix == PARTS_SUFFIX and exists(str(folder / PARTS_FACTS))
        return saves_scores or exists(str(folder / RUN_STATE))

    # The last one is the folder that the user named, which may be that of a run.
    return [name for name in names if not any(map(is_output, PurePosixPath(name).parents[:-1]))]
