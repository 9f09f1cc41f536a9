"""Collects the data for charts and table in one pass over a run's candidates, in bounded memory."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from staragents.analysis.timeline import Timeline
from staragents.base.records import Candidate
from staragents.base.statistics import Mean, Sample
from staragents.config import Config
from staragents.evolution.drawn_pairs import DrawnPairs
from staragents.report.candidate_table import MAX_ROWS, MAX_TEXT_MIB, CandidateTable
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
    """The window of `seeds` seeds up to the `end`-th: the share with neighbours in the memory bank, and the
    mean of the `rewards` rewards of drawn pairs, without base pairs."""

    end: int
    hit_rate: float
    seeds: int
    reward: float | None = None
    rewards: int = 0


@dataclass(slots=True)
class ChartData:
    """Samples, windows, examples and table of a run with `finished` seeds."""

    finished: int
    timeline: Timeline
    table: CandidateTable
    examples: Examples
    ifd_accepted: Sample[IfdPoint] = field(default_factory=lambda: Sample(IFD_POINTS))
    ifd_others: Sample[IfdPoint] = field(default_factory=lambda: Sample(IFD_POINTS))
    verdicts: Sample[VerdictPoint] = field(default_factory=lambda: Sample(VERDICT_POINTS))
    rewards: defaultdict[str, Sample[float]] = field(
        default_factory=lambda: defaultdict(lambda: Sample(REWARD_POINTS))
    )
    recall: list[Window] = field(default_factory=list)

    _window: Mean = field(default_factory=Mean)
    _reward: Mean = field(default_factory=Mean)
    _seeds: int = 0

    @classmethod
    def of(
        cls,
        config: Config,
        total: int,
        finished: int,
        max_rows: int = MAX_ROWS,
        max_text_mib: float = MAX_TEXT_MIB,
        saved: Sequence[DrawnPairs] = (),
    ) -> ChartData:
        """Empty data for a run of `total` seeds, of which `finished` will be added. `saved`: the pairs of its
        state, if agents were added or retired meanwhile."""
        table = CandidateTable(config, max_rows, max_text_mib)
        return cls(finished, Timeline(config, total, finished, saved), table, Examples(config))

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the next seed's candidates."""
        self._seeds += 1
        self.timeline.add_seed(candidates)
        self.table.add_seed(candidates)
        self.examples.add_seed(candidates)
        for candidate in candidates:
            self._reward.add(None if candidate.base else candidate.reward)
        self._window.add(float(any(candidate.neighbours for candidate in candidates)))
        if self._window.count == _window_width(self.finished) or self._seeds == self.finished:
            hits, reward = self._window, self._reward
            self.recall.append(Window(self._seeds, hits.value or 0.0, hits.count, reward.value, reward.count))
            self._window, self._reward = Mean(), Mean()
        for candidate in candidates:
            self._add(candidate)

    def _add(self, candidate: Candidate) -> None:
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
