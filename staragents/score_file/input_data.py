"""The data of a score command: files, or standard input."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.data.readers.data_files import DataFiles
from staragents.score_file.settings import ScoreSettings

STDIN = "-"


@contextmanager
def opened_input(settings: ScoreSettings, columns: Collection[str], copy: Path) -> Iterator[DataFiles]:
    """The input; `columns` are those that a conversation may use. Standard input is saved as `copy`, next
    to the output, until the block ends.

    Raises BadInput if the output is one of the files or `copy` can't be written.
    """
    if settings.data != STDIN:
        data = DataFiles(
            settings.data, columns, settings.limit, encoding=settings.encoding, output=settings.output
        )
        if settings.output.absolute() in (file.path.absolute() for file in data.files if file.path):
            raise BadInput(f"-o: expected a file that is not in DATA, got {settings.output}")
        yield data
        return
    # Saved, as it is read several times; a second run compares its rows with those of the first.
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    except OSError as error:
        copy.unlink(missing_ok=True)
        raise BadInput(f"-o: can't write to {copy.parent}: {error.strerror}") from error
    try:
        yield DataFiles(copy, columns, settings.limit, encoding=settings.encoding)
    finally:
        copy.unlink(missing_ok=True)
