"""Messages that change the pools of running seed workers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResizeModel:
    """A model's pool now has `low` to `high` replicas: its in-flight limit is what `high` replicas hold."""

    name: str
    low: int
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
