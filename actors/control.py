"""Messages that change the pools of running seed workers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResizeModel:
    """Set a model's in-flight limit to what `high` replicas hold."""

    name: str
    high: int


@dataclass(frozen=True, slots=True)
class AddScorer:
    """Send rows to the actor `name` too."""

    role: str
    name: str


@dataclass(frozen=True, slots=True)
class RemoveScorer:
    """Send no more rows to the actor `name`; answered when it is idle."""

    role: str
    name: str


Control = ResizeModel | AddScorer | RemoveScorer
