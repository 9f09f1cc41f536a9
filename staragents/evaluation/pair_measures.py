"""What a run measured about the candidates of one agent pair."""

from __future__ import annotations

from dataclasses import dataclass, field

from staragents.base.records import Candidate
from staragents.base.statistics import Mean

MEASURES = {"reward": "reward", "ifd_gap": "IFD gap", "judge_win": "w"}
"""The measures and their names in sentences."""


@dataclass(slots=True)
class PairMeasures:
    """Means over a pair's candidates. A rejected text counts with reward 0, as the policy learns it."""

    candidates: int = 0
    reward: Mean = field(default_factory=Mean)
    ifd_gap: Mean = field(default_factory=Mean)
    judge_win: Mean = field(default_factory=Mean)

    def add(self, candidate: Candidate) -> None:
        self.candidates += 1
        self.reward.add(candidate.reward)
        self.ifd_gap.add(candidate.ifd_gap)
        self.judge_win.add(candidate.judge_win)
