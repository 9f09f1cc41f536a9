"""The option --columns of `staragents score` and `evaluate`: a user's names for the columns of a row."""

from __future__ import annotations

from collections.abc import Collection

from staragents.base.errors import BadInput
from staragents.config import ColumnsConfig
from staragents.config.marks import Mark
from staragents.config.tree import declared

NO_COLUMN_KEYS = [name for name, field in declared(ColumnsConfig).items() if Mark.empty in field.marks]
"""May have an empty name, for no column."""


def parse_columns(text: str | None, keys: Collection[str]) -> ColumnsConfig:
    """Parse `instruction=question,response=answer`. These take precedence over known formats. `keys` are
    those that the command knows."""
    if text is None:
        return ColumnsConfig()
    named = {}
    for pair in text.split(","):
        key, equals, column = (part.strip() for part in pair.partition("="))
        if key not in keys or not equals or not (column or key in NO_COLUMN_KEYS):
            raise BadInput(f"--columns: expected KEY=COLUMN with a key of {', '.join(keys)}, got {pair!r}")
        named[key] = column
    return ColumnsConfig(**named)
