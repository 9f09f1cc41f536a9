"""The run loop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class RunConfig:
    """Concurrency, limits and stopping rules of the run."""

    seed: int = 0
    """Root of all random seeds."""
    admitted_seeds: int = 32
    """Maximum number of seeds in flight. The draw for a seed uses the results up to this many seeds before
    it, in whatever order they finish: a larger value keeps large pools busy, a smaller one learns sooner."""
    workers: int = 0
    """Worker processes that run seeds through the models, one CPU each. With 0, the coordinator process does
    this itself. Affects only speed."""
    attempts: int = 3
    """Attempts per generation before its candidate goes to quarantine."""
    deadline_s: float = 600.0
    """Timeout of a generation or scoring call."""
    checkpoint_s: float = 5.0
    """Checkpoint interval: a killed run repeats at most this much finished work."""
    max_error_rate: float = 0.5
    """Stop when more than this fraction of the last 100 or more candidates failed: the engines are broken."""
    max_tokens: int | None = None
    """End the run before a seed that, at the mean cost per seed so far, would bring the prompt and generated
    tokens of the run above this. The run is saved like any other; a larger value lets it resume."""
    budget: float | None = None
    """End the run before a seed that, at the mean token cost per seed so far, would bring the cost of the run
    above this: in `currency`, GPU hours included. Seeds in flight are finished, so the GPUs cost slightly
    more. A larger value lets the run resume."""
    currency: str = "USD"
    """Currency of prices and budget, for display only: nothing is converted."""
    max_minutes: float | None = None
    """Start no further seeds after this much running time, including earlier sessions of the run."""
    patience: int | None = None
    """Early stopping: end when the mean reward of the last `patience` seeds is not above that of the
    `patience` seeds before them by more than the 90 % interval. Small values stop by chance: 50 detects a
    rise of about 0.1, 500 one of 0.03."""
    metrics: bool = True
    """Report metrics to Ray, which exports them on every node (see docs/operations.md)."""
