"""The run loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from staragents.config.marks import ONE_OR_MORE, POSITIVE, SHARE, ZERO_OR_MORE, Mark, Range


@dataclass
class RunConfig:
    """Concurrency, limits and stopping rules of the run."""

    seed: Annotated[int, Mark.shared] = 0
    """Root of all random seeds."""
    admitted_seeds: Annotated[int, ONE_OR_MORE] = 32
    """Maximum number of seeds in flight. The draw for a seed uses the results up to this many seeds before
    it, in whatever order they finish: a larger value keeps large pools busy, a smaller one learns sooner."""
    workers: Annotated[int, ZERO_OR_MORE, Mark.live] = 0
    """Worker processes that run seeds through the models, one CPU each. With 0, the coordinator process does
    this itself. Affects only speed."""
    attempts: Annotated[int, ONE_OR_MORE, Mark.live] = 3
    """Attempts per generation before its candidate goes to quarantine."""
    deadline_s: Annotated[float, POSITIVE, Mark.live] = 600.0
    """Timeout of a generation or scoring call."""
    checkpoint_s: Annotated[float, ZERO_OR_MORE, Mark.live] = 5.0
    """Checkpoint interval: a killed run repeats at most this much finished work."""
    max_error_rate: Annotated[float, SHARE, Mark.live] = 0.5
    """Stop when more than this fraction of the last 100 candidates failed, checked from 20 candidates on: the
    engines are broken."""
    max_tokens: Annotated[int | None, ONE_OR_MORE, Mark.live, Mark.shared] = None
    """End the run before a seed that, at the mean cost per seed so far, would bring the prompt and generated
    tokens of the run above this. The run is saved like any other; a larger value lets it resume."""
    budget: Annotated[float | None, POSITIVE, Mark.live] = None
    """End the run before a seed that, at the mean token cost per seed so far, would bring the cost of the run
    above this: in `currency`, GPU hours included. Seeds in flight are finished, so the GPUs cost slightly
    more. A larger value lets the run resume."""
    currency: Annotated[str, Mark.live] = "USD"
    """Currency of prices and budget, for display only: nothing is converted."""
    max_minutes: Annotated[float | None, POSITIVE, Mark.live] = None
    """Start no further seeds after this much running time, including earlier sessions of the run."""
    patience: Annotated[int | None, Range(2), Mark.live] = None
    """Early stopping: end when the mean reward of the last `patience` seeds is not above that of the
    `patience` seeds before them by more than the 90 % interval. Small values stop by chance: 50 detects a
    rise of about 0.1, 500 one of 0.03."""
    metrics: Annotated[bool, Mark.live] = True
    """Report metrics to Ray, which exports them on every node (see docs/operations.md)."""
