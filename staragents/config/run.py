"""The run itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class RunConfig:
    """The loop itself."""

    seed: int = 0
    """Root of all randomness."""
    admitted_seeds: int = 32
    """Seeds in work at once. The draw for a seed knows the results up to this many seeds before it, whatever
    order they finish in: larger keeps big pools busy, smaller learns sooner."""
    workers: int = 0
    """Processes beside the coordinator that carry seeds through the models, a CPU each. With 0 the
    coordinator does it itself. Nothing but speed depends on it."""
    attempts: int = 3
    """Tries of one generation before its candidate goes to quarantine."""
    deadline_s: float = 600.0
    """Longest wait for one generation or scoring call."""
    checkpoint_s: float = 5.0
    """At most this much finished work is done again after a kill."""
    max_error_rate: float = 0.5
    """Stop when more than this share of the last 100 or more candidates failed: the engines are broken."""
    max_tokens: int | None = None
    """End the run before a seed that, at the mean cost of a seed so far, would take all tokens read and
    written beyond this. The run is then saved like any other; with a larger value it goes on."""
    budget: float | None = None
    """End the run before a seed that, at the mean price of a seed's tokens so far, would take its cost
    beyond this: in `currency`, GPUs by the hour included. Seeds in work are finished, so that GPUs cost a
    little more. With a larger value it goes on."""
    currency: str = "USD"
    """What prices and budget are in. A word for people: nothing is converted."""
    max_minutes: float | None = None
    """Start no further seed after so much time at work, earlier sessions of the run included."""
    patience: int | None = None
    """End the run when the mean reward of so many seeds is not above that of as many before by more than its
    90 % interval. A small number ends by chance: 50 sees a rise of about 0.1, 500 one of 0.03."""
    metrics: bool = True
    """Report metrics to Ray, which exports them on every node (docs/operations.md)."""
