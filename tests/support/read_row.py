"""What a raw row becomes."""

from __future__ import annotations

from typing import Any

from staragents.config import ColumnsConfig
from staragents.data.readers.row_messages import RowReader


def read_row(row: Any, **columns: str) -> tuple[tuple[str, str], ...]:
    """Roles and texts; `columns` are those that the user names."""
    _, messages = RowReader(ColumnsConfig(**columns), rewritable=True).read(row)
    return tuple((turn.role, turn.content) for turn in messages)
