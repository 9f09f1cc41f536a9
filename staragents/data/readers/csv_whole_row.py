"""Whether lines of CSV may be one whole row although quotes within its texts are not written twice."""

from __future__ import annotations


class WholeRow:
    """A row of `width` fields, each of them without quotes or between two, with any quotes and separators
    within."""

    def __init__(self, separator: str, width: int, is_tail: bool = False) -> None:
        """With `is_tail`, the lines are the end of a row and begin within a quoted text."""
        self._separator = separator
        # Bit N of a mask: N fields may have ended before this piece, or before a quoted text with this piece.
        self._ended, self._quoted = (0, 1) if is_tail else (1, 0)
        self._most = (1 << (width + 1)) - 1
        self._wanted = self._most - 1 if is_tail else 1 << width
        self._begins = self._is_later = False

    def add(self, line: str) -> bool:
        """Whether the row may be whole with this line as its last."""
        *pieces, last = line.rstrip("\r\n").split(self._separator)
        for piece in pieces:
            after = self._after(piece)
            self._quoted |= self._ended if self._begins else 0
            self._ended, self._is_later = after, False
        after = self._after(last)
        self._is_later = True
        return bool(after & self._wanted)

    def _after(self, piece: str) -> int:
        """How many fields may have ended after a piece between separators, or the part of it on a line."""
        piece = piece.strip(" ")
        is_first = not self._is_later
        if is_first:
            self._begins = piece.startswith('"')
        after = self._ended if is_first and '"' not in piece else 0
        if piece.endswith('"'):
            after |= self._quoted
            after |= self._ended if self._begins and (len(piece) > 1 or not is_first) else 0
        return after << 1 & self._most
