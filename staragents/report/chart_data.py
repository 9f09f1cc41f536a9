"""Collects the data for charts and table in one pass over a run's rows, in bounded memory."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from staragents.analysis.rows import Row, is_scored, read_seeds
from staragents.analysis.statistics import Mean, Sample
from staragents.analysis.timeline import Timeline
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

    seeds: int
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
        cls, shards: Iterable[Path], seeds: int, timeline: Timeline, table: CandidateTable
    ) -> ChartData:
        """Read all rows once, in commit order; `seeds` is their number of seeds."""
        evidence = cls(seeds, timeline, table)
        window, width = Mean(), _window_width(seeds)
        for number, rows in enumerate(read_seeds(shards), start=1):
            evidence.timeline.add_seed(rows)
            evidence.table.add(rows)
            window.add(float(any(row["neighbours"] for row in rows)))
            if window.value is not None and (window.count == width or number == seeds):
                evidence.recall.append(Window(number, window.value, window.count))
                window = Mean()
            for row in rows:
                evidence._add(row)
        return evidence

    def _add(self, row: Row) -> None:
        self.examples.add(row)
        if is_scored(row):
            point = IfdPoint(row["target_ifd"], row["larger_ifd"], row["pair"], row["candidate_id"])
            (self.ifd_accepted if row["selected"] else self.ifd_others).add(point)
        if row["judge_win_first"] is not None and row["judge_win_second"] is not None:
            self.verdicts.add(
                VerdictPoint(
                    row["judge_win_first"], row["judge_win_second"], row["pair"], bool(row["judge_agreement"])
                )
            )
        if row["reward"] is not None:
            self.rewards[row["pair"]].add(row["reward"])


def _window_width(seeds: int) -> int:
    """Width for about `WINDOWS` windows; fewer in a small run, where a share of two seeds is meaningless."""
    return max(1, math.ceil(seeds / WINDOWS), min(10, math.ceil(seeds / 4)))
