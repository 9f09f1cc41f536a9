"""Times as hours, minutes and seconds."""

from __future__ import annotations


def clock(seconds: int) -> str:
    """3661 -> 1:01:01."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
