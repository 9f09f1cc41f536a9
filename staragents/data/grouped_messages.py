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
    that of its first message. A bad row costs the conversation of its id; without an id, it may be of the one
    before it or of the one that begins after it, and costs both. One id costs about 100 bytes of memory."""

    def __init__(self, column: str, setting: str) -> None:
        self._column = column
        self._setting = setting
        self._seen: set[bytes] = set()
        self._id: Any = None
        self._first = 0
        self._turns: list[dict[str, Any]] = []
        self._is_again = False
        self._is_damaged = False
        self._is_told = False
        self._damages_next = False

    def blocks(self, numbered: Iterable[tuple[int, Block]]) -> Iterator[tuple[int, Block]]:
        """Blocks of conversations, each with the number of rows in earlier files."""
        before, file = 0, None
        for earlier, block in numbered:
            if file is not None and block.file != file:
                if ended := list(self._ended()):
                    yield before, Block(file, ended)
                self._damages_next = False
            before, file = earlier, block.file
            yield earlier, Block(block.file, [row for raw in block.rows for row in self._add(raw)])
        if file is not None and (ended := list(self._ended())):
            yield before, Block(file, ended)

    def _add(self, raw: RawRow | BadRow) -> Iterator[RawRow | BadRow]:
        """The conversation that this row ends, if any, and the row's own problem, if any."""
        found = (
            raw.value.get(self._column) if isinstance(raw, RawRow) and isinstance(raw.value, dict) else None
        )
        turn = raw if isinstance(raw, BadRow) else self._turn(raw)
        if found is not None and found != self._id:
            yield from self._ended()
            self._begin(found, raw.row)
        self._damages_next = found is None
        if isinstance(turn, BadRow):
            yield from self._damaged(self._first, bool(self._turns))
            yield turn
        elif self._is_again:
            reason = "expected the messages of a conversation in consecutive rows"
            yield BadRow(raw.row, Problem(self._column, reason, f"{shown(found)} again"))
        elif self._is_damaged:
            yield from self._damaged(raw.row, not self._is_told)
        else:
            self._turns.append(turn)

    def _begin(self, found: Any, row: int) -> None:
        key = hashlib.blake2b(repr(found).encode("utf-8", "replace"), digest_size=ID_BYTES).digest()
        self._id, self._first = found, row
        self._is_again = key in self._seen
        self._is_damaged, self._is_told = self._damages_next, False
        self._seen.add(key)

    def _damaged(self, row: int, is_to_tell: bool) -> Iterator[BadRow]:
        """Drop the conversation. It is told once, at its first message that can be used."""
        self._turns, self._is_damaged = [], True
        if is_to_tell:
            self._is_told = True
            yield BadRow(row, Problem("row", "expected a whole conversation", "one with an unusable message"))

    def _ended(self) -> Iterator[RawRow | BadRow]:
        turns, self._turns, self._id = self._turns, [], None
        if turns:
            yield RawRow(self._first, {"messages": turns})

    def _turn(self, raw: RawRow) -> dict[str, Any] | BadRow:
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
        return {**named, "role": named[role], "content": named[text]}
