"""Validates texts of a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from staragents.data.readers.raw_row import InvalidRow, shown


@dataclass(frozen=True, slots=True)
class Texts:
    """`max_chars` limits each text. With `may_be_blank`, a text may be blank or null."""

    max_chars: int | None = None
    may_be_blank: bool = False

    def text(self, value: Any, field: str) -> str:
        """The value if it is a valid text. Raises InvalidRow."""
        if value.__class__ is str and not value.isspace() and value:
            return self._sound(value, field)
        if not self.may_be_blank:
            self._refuse_blank(value, field)
        return self.optional(value, field)

    def optional(self, value: Any, field: str) -> str:
        """The value, or an empty string for null and NaN. Raises InvalidRow."""
        if value is None or value != value:
            return ""
        if not isinstance(value, str):
            raise InvalidRow(field, "expected text", shown(value))
        return self._sound(value, field)

    def _refuse_blank(self, value: Any, field: str) -> None:
        if isinstance(value, str):
            raise InvalidRow(field, "expected text", "only white space" if value else "nothing")
        raise InvalidRow(field, "expected text", shown(value))

    def _sound(self, value: str, field: str) -> str:
        if self.max_chars is not None and len(value) > self.max_chars:
            most = f"expected at most {self.max_chars} characters (seeds.max_chars)"
            raise InvalidRow(field, most, str(len(value)))
        if value.isascii():
            return value
        try:
            value.encode()
        except UnicodeEncodeError as error:
            # JSON can encode half of a UTF-16 pair, which tokenizers and files don't support.
            half = f"the unpaired surrogate \\u{ord(value[error.start]):04x} at character {error.start + 1}"
            raise InvalidRow(field, "expected text", half) from None
        return value
