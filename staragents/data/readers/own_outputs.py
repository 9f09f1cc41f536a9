"""Files that our commands write: no data of the folder in which their output lies.

Otherwise the command, resumed, would read other data than it began with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache
from itertools import takewhile
from pathlib import Path, PurePosixPath

from staragents.data.readers.local_files import MAGIC

PARTS_SUFFIX, PARTS_FACTS = ".parts", "command.json"
"""Of the folder in which a score command saves its progress, and of a file in it."""
SUMMARY_SUFFIX = ".summary.json"
BESIDE_SCORES = (SUMMARY_SUFFIX, ".quarantine.jsonl")
"""Suffixes of the files beside the output of a score command."""
RUN_STATE = "run_state.json"
EARLIER_STATE = ("state.json", "config.yaml")
"""In runs of earlier versions. A saved dataset has the first one, too."""
LOCK = ".writer.lock"
RESULTS = ("compare", "evaluate")
"""Of the pages and JSON files that the commands of these names write."""
RESULT_FOLDERS = ("cells", "verdicts")
"""Folders of an evaluation."""


def without_outputs(names: Iterable[str], exists: Callable[[str], bool]) -> list[str]:
    """Those of the relative `names` that no run, score, comparison or evaluation has written, except that a
    score command's output is data. `exists` tells whether there is a file of a relative name."""

    @cache
    def has(folder: PurePosixPath, name: str) -> bool:
        return exists(str(folder / name))

    @cache
    def is_output(folder: PurePosixPath) -> bool:
        saves_scores = folder.suffix == PARTS_SUFFIX and has(folder, PARTS_FACTS)
        return saves_scores or has(folder, RUN_STATE) or all(has(folder, name) for name in EARLIER_STATE)

    def is_result(path: PurePosixPath) -> bool:
        folder = path.parent.parent if path.parent.name in RESULT_FOLDERS else path.parent
        is_named = folder != path.parent or (path.stem in RESULTS and path.suffix in (".json", ".html"))
        # The folder may hold data of the user, too.
        return is_named and (has(folder, LOCK) or any(has(folder, f"{name}.html") for name in RESULTS))

    def is_beside_scores(path: PurePosixPath) -> bool:
        outputs = (path.name.removesuffix(suffix) for suffix in BESIDE_SCORES if path.name.endswith(suffix))
        return any(output and has(path.parent, output) for output in outputs)

    # The last parent is the folder that the user named, which may be that of a run.
    return [
        name
        for name in names
        if not any(map(is_output, (path := PurePosixPath(name)).parents[:-1]))
        and not is_result(path)
        and not is_beside_scores(path)
    ]


def matching_without_outputs(found: Iterable[str], pattern: str, is_file: Callable[[str], bool]) -> list[str]:
    """The paths `found` for a pattern whose `**` stands for no outputs of commands."""
    found = list(found)
    parts = pattern.split("/")
    if "**" not in parts:
        return found
    above = "".join(f"{part}/" for part in takewhile(lambda part: not MAGIC.search(part), parts))
    names = without_outputs((path.removeprefix(above) for path in found), lambda name: is_file(above + name))
    return [above + name for name in names]


def written_for(output: Path | None) -> Callable[[Path], bool]:
    """Whether a score command with this output has written a file. A file at `output` without the facts of
    such a command is the user's."""
    if output is None:
        return lambda file: False
    output = Path(os.path.abspath(output))
    parts, *beside = (output.with_name(output.name + suffix) for suffix in (PARTS_SUFFIX, *BESIDE_SCORES))
    is_ours = (parts / PARTS_FACTS).is_file() or output.with_name(output.name + SUMMARY_SUFFIX).is_file()

    def is_written(file: Path) -> bool:
        file = Path(os.path.abspath(file))
        return is_ours and (file in (output, *beside) or parts in file.parents)

    return is_written
