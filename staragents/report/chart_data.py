"""Collects the data for charts and table in one pass over a run's candidates, in bounded memory."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from staragents.analysis.statistics import Mean, Sample
from staragents.analysis.timeline import Timeline
from staragents.base.records import Candidate
from staragents.report.candidate_table import CandidateTable
from staragents.report.examples import Examples

IFD_POINTS, VERDICT_POINTS, REWARD_POINTS = 1_000, 600, 120
WINDOWS = 40


class IfdPoint(NamedTuple):
    target: float
    larger: float
    pair: str
    candidate_id: str


class VerdictPoint(NamedTuple):
    first: float
    second: float
    pair: str
    agree: bool


class Window(NamedTuple):
    """The window of `seeds` seeds up to the `end`-th: the share with neighbours in the memory bank."""

    end: int
    hit_rate: float
    seeds: int


@dataclass(slots=True)
class ChartData:
    """Samples, windows, examples and table of a run."""

    timeline: Timeline
    table: CandidateTable
    ifd_accepted: Sample[IfdPoint] = field(default_factory=lambda: Sample(IFD_POINTS))
    ifd_others: Sample[IfdPoint] = field(default_factory=lambda: Sample(IFD_POINTS))
    verdicts: Sample[VerdictPoint] = field(default_factory=lambda: Sample(VERDICT_POINTS))
    rewards: defaultdict[str, Sample[float]] = field(
        default_factory=lambda: defaultdict(lambda: Sample(REWARD_POINTS))
    )
    recall: list[Window] = field(default_factory=list)
    examples: Examples = field(default_factory=Examples)

    @classmethod
    def gather(
        cls,
        seeds: Iterable[list[Candidate]],
        finished: int,
        timeline: Timeline,
        table: CandidateTable,
    ) -> ChartData:
        """Read all candidates once, in commit order; `finished` is the number of `seeds`."""
        evidence = cls(timeline, table)
        window, width = Mean(), _window_width(finished)
        for number, candidates in enumerate(seeds, start=1):
            evidence.timeline.add_seed(candidates)
            evidence.table.add(candidates)
            window.add(float(any(candidate.neighbours for candidate in candidates)))
            if window.value is not None and (window.count == width or number == finished):
                evidence.recall.append(Window(number, window.value, window.count))
                window = Mean()
            for candidate in candidates:
                evidence._add(candidate)
        return evidence

    def _add(self, candidate: Candidate) -> None:
        self.examples.add(candidate)
        target, larger = candidate.target_ifd, candidate.larger_ifd
        if target is not None and larger is not None:
            point = IfdPoint(target, larger, candidate.pair, candidate.candidate_id)
            (self.ifd_accepted if candidate.selected else self.ifd_others).add(point)
        first, second = candidate.judge_win_first, candidate.judge_win_second
        if first is not None and second is not None:
            self.verdicts.add(VerdictPoint(first, second, candidate.pair, bool(candidate.judge_agreement)))
        if candidate.reward is not None:
            self.rewards[candidate.pair].add(candidate.reward)


def _window_width(seeds: int) -> int:
    """Width for about `WINDOWS` windows; fewer in a small run, where a share of two seeds is meaningless."""
    return max(1, math.ceil(seeds / WINDOWS), min(10, math.ceil(seeds / 4)))
