"""The Retry-After headers of a busy server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """Seconds that the server asks us to wait, given as seconds or as a date, or as milliseconds in the
    header of OpenAI and Azure; 0 if missing or invalid. Can be infinite. `now` is in seconds since the
    epoch."""
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.isdecimal():
        return float(milliseconds) / 1000
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        seconds = _until(value, now)
    return max(0.0, seconds)


def _until(date: str, now: float) -> float:
    try:
        when = parsedate_to_datetime(date)
        # HTTP dates are in UTC, also those without a zone.
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
