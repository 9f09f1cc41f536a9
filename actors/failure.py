"""Why a request failed, as a replica tells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request failed. A value, not an exception: Serve logs a traceback for every exception."""

    error_class: str
    message: str
    retryable: bool
