"""Joins rows that are one message each into rows that are one conversation each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from staragents.data.readers.column_names import respelled
from staragents.data.readers.data_files import Block
from staragents.data.readers.one_message import message_columns
from staragents.data.readers.raw_row import BadRow, Problem, RawRow, shown, shown_columns
from staragents.data.readers.row_messages import KNOWN_COLUMNS

ID_BYTES = 8


class GroupedMessages:
    """Rows with the same value of `column` that follow each other are one conversation, whose row number is
    that of its first message. One id costs about 100 bytes of memory."""

    def __init__(self, column: str, setting: str) -> None:
        self._column = column
        self._setting = setting
        self._seen: set[bytes] = set()
        self._id: Any = None
        self._first = 0
        self._turns: list[dict[str, Any]] = []

    def blocks(self, numbered: Iterable[tuple[int, Block]]) -> Iterator[tuple[int, Block]]:
        """Blocks of conversations, each with the number of rows in earlier files."""
        before, file = 0, None
        for earlier, block in numbered:
            if file is not None and block.file != file and self._turns:
                yield before, Block(file, [self._finished()])
            before, file = earlier, block.file
            yield earlier, Block(block.file, [row for raw in block.rows for row in self._add(raw)])
        if file is not None and self._turns:
            yield before, Block(file, [self._finished()])

    def _add(self, raw: RawRow | BadRow) -> Iterator[RawRow | BadRow]:
        """The conversation that this row ends, if any, and the row's own problem, if any."""
        turn = raw if isinstance(raw, BadRow) else self._turn(raw)
        if isinstance(turn, BadRow):
            # The row may have been part of the conversation before it, so that one is not whole.
            if self._turns:
                problem = Problem("row", "expected a whole conversation", "one with an unusable message")
                yield BadRow(self._first, problem)
                self._turns = []
            yield turn
            return
        found, said = turn
        if self._turns and found != self._id:
            yield self._finished()
        if not self._turns:
            self._id, self._first = found, raw.row
            key = hashlib.blake2b(repr(found).encode("utf-8", "replace"), digest_size=ID_BYTES).digest()
            if key in self._seen:
                reason = "expected the messages of a conversation in consecutive rows"
                yield BadRow(raw.row, Problem(self._column, reason, f"{shown(found)} again"))
                return
            self._seen.add(key)
        self._turns.append(said)

    def _turn(self, raw: RawRow) -> tuple[Any, dict[str, Any]] | BadRow:
        row = raw.value
        if not isinstance(row, dict) or row.get(self._column) is None:
            got = shown_columns(row) if isinstance(row, dict) else shown(row)
            reason = f"expected the column that {self._setting} names"
            return BadRow(raw.row, Problem(ascii(self._column).strip("'"), reason, got))
        other = respelled([name for name in row if name != self._column], KNOWN_COLUMNS)
        named: dict[Any, Any] = {other.get(name, name): cell for name, cell in row.items()}
        columns = message_columns(named, ())
        if columns is None:
            reason = "expected one message, with a role such as user and a text"
            return BadRow(raw.row, Problem("row", reason, shown_columns(row)))
        role, text = columns
        return row[self._column], {**named, "role": named[role], "content": named[text]}

    def _finished(self) -> RawRow:
        turns, self._turns = self._turns, []
        return RawRow(self._first, {"messages": turns})
