"""Rows of a file that a user names beside the runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from staragents.config import ColumnsConfig
from staragents.data.grouped_messages import GroupedMessages
from staragents.data.readers.data_files import Block, DataFiles
from staragents.data.readers.raw_row import BadRow, RawRow
from staragents.data.readers.row_messages import RowReader

COLUMNS = "--columns {}=..."


class GivenRows:
    """The rows of a dataset in any format that seeds may have, with the `reader` of their conversations.
    Iterating over them gives each row with the name of its file."""

    def __init__(self, path: str | Path, setting: str, columns: ColumnsConfig, also: str) -> None:
        """`setting` names the source of `path`. `columns`: the user's names (`--columns`). `also`: a column
        that is read beside those of conversations. Raises BadInput if there are no such files."""
        # Long answers are cut to the student's length, so texts have no maximum here.
        self.reader = RowReader(columns, rewritable=True, setting=COLUMNS)
        self._files = DataFiles(path, self.reader.columns.also(also), setting=setting)

    def __iter__(self) -> Iterator[tuple[str, RawRow | BadRow]]:
        """Raises BadInput if a file is unreadable or damaged."""
        blocks = ((0, block) for block in self._files.blocks())
        for _, block in self._grouped(blocks):
            for raw in block.rows:
                yield block.file, raw

    @property
    def notes(self) -> list[str]:
        """What a user should know about how the files were read; complete after all rows."""
        return self._files.notes.lines()

    def _grouped(self, blocks: Iterator[tuple[int, Block]]) -> Iterator[tuple[int, Block]]:
        column = self.reader.named.conversation
        return GroupedMessages(column, COLUMNS.format("conversation")).blocks(blocks) if column else blocks
