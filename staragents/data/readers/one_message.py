"""Rows that are one message each, as in exported chats."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from staragents.data.readers.turn_parts import CONTENTS, ROLE_KEYS, role_of


def message_columns(row: dict[str, Any], known: Collection[str]) -> tuple[str, str] | None:
    """The columns of role and text if the row is one message and nothing of `known`, else None."""
    if any(name in row for name in known) or role_of(row) is None:
        return None
    role = next(name for name in ROLE_KEYS if row.get(name) is not None)
    content = next((name for name in CONTENTS if name in row), None)
    return None if content is None else (role, content)
