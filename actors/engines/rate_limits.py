"""Sends requests no faster than the server allows, by the limits in the headers of its answers."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

_REMAINING = re.compile(r"^(?:x-|anthropic-)?ratelimit-(?:remaining(?:-.+)?|.+-remaining)$")
_PART = re.compile(r"(?P<amount>\d+(?:\.\d+)?)(?P<unit>ms|h|m|s|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# Larger numbers are times since the epoch, in seconds or in milliseconds.
_EPOCH, _EPOCH_MS = 1e9, 1e12
A_MINUTE = 60.0


@dataclass(slots=True)
class Window:
    """What a limit leaves until it is renewed."""

    left: float
    until: float
    """On the monotonic clock."""
    limit: float | None = None
    """What the next one leaves, if known."""
    seconds: float = 0.0
    """How long it had to go when it was read."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that was sent, and all that was sent up to it: requests and estimated tokens."""

    requests: int
    tokens: int


class RateLimits:
    """Waits before requests that a limit leaves no room for.

    A server counts a request when it arrives, so its answer does not know those sent in the meantime: they
    are subtracted here. All who use the key share its limits: other replicas are seen through the numbers.
    """

    def __init__(self) -> None:
        self._windows: dict[str, Window] = {}
        self._not_before = 0.0
        self._requests = 0
        self._tokens = 0

    def pause(self, seconds: float) -> None:
        """Send nothing for `seconds`."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    async def turn(self, tokens: int, longest_s: float) -> Ticket:
        """Wait until a request of about `tokens` may be sent: for a limit at most `longest_s`, as half an
        answer's time is worth more than a refusal avoided."""
        give_up_at = time.monotonic() + longest_s
        while (wait := self._wait(tokens, give_up_at)) > 0:
            await asyncio.sleep(wait)
        self._requests += 1
        self._tokens += tokens
        for name, window in self._windows.items():
            window.left -= tokens if "token" in name else 1
        return Ticket(self._requests, self._tokens)

    def observe(self, headers: Mapping[str, str], ticket: Ticket) -> None:
        """Read the limits in the answer to the request with this ticket."""
        now, seconds = time.monotonic(), time.time()
        for name in headers:
            if not _REMAINING.match(name):
                continue
            left = _number(headers[name])
            reset = reset_s(name, headers, seconds)
            if left is None or reset is None:
                continue
            since = self._tokens - ticket.tokens if "token" in name else self._requests - ticket.requests
            limit = _number(headers.get(name.replace("remaining", "limit"), ""))
            self._windows[name] = Window(left - since, now + reset, limit, reset)

    def _renew(self, now: float) -> None:
        """Replace windows that are over. All requests that waited for one would otherwise leave at once."""
        windows = self._windows.items()
        renewed = {
            name: Window(window.limit, now + window.seconds)
            for name, window in windows
            if window.until <= now and window.limit is not None
        }
        self._windows = {name: window for name, window in windows if window.until > now} | renewed

    def _wait(self, tokens: int, give_up_at: float) -> float:
        now = time.monotonic()
        self._renew(now)
        full = [
            window.until
            for name, window in self._windows.items()
            # A request above the whole limit waits for a full window only.
            if window.left < min(tokens if "token" in name else 1, window.limit or math.inf)
        ]
        return max(self._not_before, min(max(full, default=0.0), give_up_at)) - now


def reset_s(name: str, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the limit of the header `name` ("...remaining...") is renewed; None if unknown. `now` is
    in seconds since the epoch."""
    value = headers.get(name.replace("remaining", "reset"), "").strip().lower()
    if not value:
        # Mistral names the period instead.
        return A_MINUTE if name.endswith("minute") else None
    number = _number(value)
    if number is not None:
        seconds = number / 1000 - now if number > _EPOCH_MS else number - now if number > _EPOCH else number
        return max(0.0, seconds)
    parts = list(_PART.finditer(value))
    if parts and "".join(part[0] for part in parts) == value:
        return sum(float(part["amount"]) * _SECONDS[part["unit"]] for part in parts)
    try:
        when = datetime.fromisoformat(value.upper())
        return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < 1e15 else None
