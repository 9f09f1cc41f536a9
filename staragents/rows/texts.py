"""Which values are texts that a conversation may be made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from staragents.rows.misfit import Misfit, shown


@dataclass(frozen=True, slots=True)
class Texts:
    """`max_chars` bounds each text, in characters. With `may_be_blank`, a text may be blank or null."""

    max_chars: int | None = None
    may_be_blank: bool = False

    def text(self, value: Any, field: str) -> str:
        """The value if it is a usable text. Raises Misfit."""
        if value.__class__ is str and not value.isspace() and value:
            return self._sound(value, field)
        if not self.may_be_blank:
            self._refuse_blank(value, field)
        return self.optional(value, field)

    def optional(self, value: Any, field: str) -> str:
        """The same where nothing, null and NaN mean that there is none: the empty string. Raises Misfit."""
        if value is None or value != value:
            return ""
        if not isinstance(value, str):
            raise Misfit(field, f"expected text, got {shown(value)}")
        return self._sound(value, field)

    def _refuse_blank(self, value: Any, field: str) -> None:
        if isinstance(value, str):
            raise Misfit(field, "expected text, got only blanks" if value else "expected text, got nothing")
        raise Misfit(field, f"expected text, got {shown(value)}")

    def _sound(self, value: str, field: str) -> str:
        if self.max_chars is not None and len(value) > self.max_chars:
            raise Misfit(
                field, f"expected at most {self.max_chars} characters (seeds.max_chars), got {len(value)}"
            )
        try:
            value.encode()
        except UnicodeEncodeError as error:
            # JSON can spell half of a UTF-16 pair; no tokenizer and no file could take it.
            half = f"\\u{ord(value[error.start]):04x}"
            raise Misfit(
                field, f"expected text, got the unpaired surrogate {half} at character {error.start + 1}"
            ) from None
        return value
