"""When too much fails for a run to go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from actors.progress import Progress
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.run.silent_judge import silence

WINDOW = 100
MINIMUM = 20
"""Candidates before their error rate counts."""


class FailureRules:
    """The share of failed candidates among the last `WINDOW`, and a judge whose verdicts can't be read."""

    def __init__(self, config: Config, seeds: int, progress: Progress) -> None:
        self._config = config
        self._seeds = seeds
        self._progress = progress
        self._failures: deque[bool] = deque(maxlen=WINDOW)
        self._unreadable_before = 0

    def resume(self) -> None:
        """A run that a silent judge ended may try as often again: its server may be another one now."""
        if self._silence():
            self._unreadable_before = self._progress.unreadable

    def observe(self, candidates: Sequence[Candidate]) -> None:
        """Count committed candidates."""
        self._failures.extend(candidate.failed for candidate in candidates)

    def reason(self) -> str:
        """Why the run must fail, or an empty string."""
        if silent := self._silence():
            return silent
        failed, seen = sum(self._failures), len(self._failures)
        if seen < MINIMUM or failed <= self._config.run.max_error_rate * seen:
            return ""
        return (
            f"{failed} of the last {seen} candidates failed (run.max_error_rate="
            f"{self._config.run.max_error_rate:g}); last error: {self._progress.last_error}"
        )

    def _silence(self) -> str:
        """Why the run must end for want of verdicts, or an empty string."""
        found = self._progress
        unreadable = found.unreadable - self._unreadable_before
        return silence(self._config, self._seeds, found.verdicts, unreadable, found.first_unreadable)
