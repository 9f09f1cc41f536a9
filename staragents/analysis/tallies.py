"""Counts cost, pairs, judge and IFD in one pass over a run's candidates."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from staragents.agents.verdict import STILL_THINKING
from staragents.analysis.opponent import Opponent
from staragents.base.records import Candidate, Stage
from staragents.base.statistics import Line, Mean
from staragents.config import Config
from staragents.scoring.ifd import SCORED_STATUSES

STAGES = (Stage.rewrite, Stage.answer, Stage.score, Stage.judge)
"""Those of every run; a baseline is written only in some."""


@dataclass(slots=True)
class CostTally:
    """Tokens and seconds, by stage."""

    tokens_in: Counter[str] = field(default_factory=Counter)
    tokens_out: Counter[str] = field(default_factory=Counter)
    thought: Counter[str] = field(default_factory=Counter)
    """Part of `tokens_out`."""
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, candidate: Candidate) -> None:
        self.thought.update(candidate.thought_by_stage())
        for stage, (tokens_in, tokens_out) in candidate.tokens_by_stage().items():
            self.tokens_in[stage] += tokens_in
            self.tokens_out[stage] += tokens_out
        for stage, seconds in (candidate.stage_seconds or {}).items():
            self.seconds[stage] += seconds

    @property
    def tokens(self) -> int:
        return self.tokens_in.total() + self.tokens_out.total()

    def stages(self) -> dict[str, dict[str, float]]:
        seen = {*self.tokens_in, *self.tokens_out, *self.seconds} - set(STAGES)
        return {
            stage: {
                "tokens_in": self.tokens_in[stage],
                "tokens_out": self.tokens_out[stage],
                **({"reasoning_tokens": self.thought[stage]} if self.thought[stage] else {}),
                "seconds": round(self.seconds.get(stage, 0.0), 3),
            }
            for stage in (*STAGES, *sorted(seen))
        }


@dataclass(slots=True)
class PairTally:
    base: bool = False
    drawn: int = 0
    generated: int = 0
    accepted: int = 0
    reward: Mean = field(default_factory=Mean)
    win: Mean = field(default_factory=Mean)
    cost: CostTally = field(default_factory=CostTally)

    def add(self, candidate: Candidate) -> None:
        self.base = candidate.base
        self.drawn += 1
        self.generated += candidate.written
        self.accepted += candidate.selected
        self.reward.add(candidate.reward)
        self.win.add(candidate.judge_win)
        self.cost.add(candidate)

    def summary(self) -> dict[str, Any]:
        return {
            "base": self.base,
            "drawn": self.drawn,
            "generated": self.generated,
            "judged": self.win.count,
            "accepted": self.accepted,
            "acceptance": ratio(self.accepted, self.drawn),
            "reward": rounded(self.reward.value),
            "reward_interval_90": self.reward.interval90(),
            "judge_win": rounded(self.win.value),
            "tokens": self.cost.tokens,
            "tokens_per_accepted": ratio(self.cost.tokens, self.accepted),
            "seconds": round(sum(self.cost.seconds.values()), 3),
            "stages": self.cost.stages(),
        }


@dataclass(slots=True)
class JudgeTally:
    """Checks of the judge: position bias, agreement and length bias."""

    unreadable: int = 0
    still_thinking: int = 0
    first_unreadable: str | None = None
    win: Mean = field(default_factory=Mean)
    accepted_win: Mean = field(default_factory=Mean)
    first: Mean = field(default_factory=Mean)
    second: Mean = field(default_factory=Mean)
    agreement: Mean = field(default_factory=Mean)
    label_only: Mean = field(default_factory=Mean)
    """Share of verdicts without a probability between those of the labels."""
    length: Line = field(default_factory=Line)

    def add_seed(self, candidates: list[Candidate], config: Config) -> None:
        for candidate in candidates:
            self._add(candidate, candidates, config)

    def _add(self, candidate: Candidate, candidates: list[Candidate], config: Config) -> None:
        win = candidate.judge_win
        if win is None:
            if candidate.unreadable:
                self._add_unreadable(candidate.error_message)
            return
        self.win.add(win)
        self.agreement.add(candidate.judge_agreement)
        wins = (candidate.judge_win_first, candidate.judge_win_second)
        self.label_only.add(all(one in (None, 0.0, 0.5, 1.0) for one in wins))
        if candidate.selected:
            self.accepted_win.add(win)
        if candidate.judge_win_first is not None and candidate.judge_win_second is not None:
            self.first.add(candidate.judge_win_first)
            self.second.add(candidate.judge_win_second)
        other = Opponent.of(candidate, candidates, config).messages
        if other is not None:
            own, others = len(candidate.messages[-1].content), len(other[-1].content)
            self.length.add(math.log((own + 1) / (others + 1)), win)

    def _add_unreadable(self, message: str | None) -> None:
        self.unreadable += 1
        self.still_thinking += (message or "").startswith(STILL_THINKING)
        self.first_unreadable = self.first_unreadable or message

    def summary(self) -> dict[str, Any]:
        first, second = self.first.value, self.second.value
        tried = self.win.count + self.unreadable
        return {
            "tried": tried,
            "judged": self.win.count,
            "invalid": ratio(self.unreadable, tried),
            "win": rounded(self.win.value),
            "win_accepted": rounded(self.accepted_win.value),
            "win_first": rounded(first),
            "win_second": rounded(second),
            # P(candidate better | shown first) - P(candidate better | shown second): 0 for a fair judge.
            "position_bias": None if first is None or second is None else rounded(first - second),
            "agreement": rounded(self.agreement.value),
            "label_only": rounded(self.label_only.value),
            # Correlation of the win with ln(response length / length of what it was compared with).
            "length_correlation": rounded(self.length.correlation),
            # The linear counterpart of AlpacaEval's length-controlled win rate (arXiv 2404.04475).
            "win_at_equal_length": rounded(self.length.at_zero),
            **self._unreadable(),
        }

    def _unreadable(self) -> dict[str, Any]:
        """Unreadable verdicts, those of them for which the judge was still thinking, and the first one."""
        if not self.unreadable:
            return {}
        return {
            "unreadable": self.unreadable,
            "still_thinking": self.still_thinking,
            "first_unreadable": self.first_unreadable,
        }


@dataclass(slots=True)
class IfdTally:
    above_one: dict[str, Mean] = field(default_factory=lambda: {"target": Mean(), "larger": Mean()})
    mean: dict[str, Mean] = field(default_factory=lambda: {"target": Mean(), "larger": Mean()})
    statuses: dict[str, Counter[str]] = field(
        default_factory=lambda: {"target": Counter(), "larger": Counter()}
    )
    gap: Mean = field(default_factory=Mean)
    both: Line = field(default_factory=Line)

    def add(self, candidate: Candidate) -> None:
        for model, ifd, status in (
            ("target", candidate.target_ifd, candidate.target_status),
            ("larger", candidate.larger_ifd, candidate.larger_status),
        ):
            self.mean[model].add(ifd)
            self.above_one[model].add(None if ifd is None else float(ifd > 1))
            if status is not None:
                self.statuses[model][status] += 1
        self.gap.add(candidate.ifd_gap)
        self.both.add(candidate.target_ifd, candidate.larger_ifd)

    def summary(self) -> dict[str, Any]:
        return {
            **{model: self._of(model) for model in ("target", "larger")},
            "both": self.both.count,
            "correlation": rounded(self.both.correlation),
            "gap": rounded(self.gap.value),
        }

    def regression(self) -> dict[str, float | None]:
        """Of the larger model's IFD on the target's: both agree at slope 1 and intercept 0."""
        return {"slope": rounded(self.both.slope), "intercept": rounded(self.both.at_zero)}

    def _of(self, model: str) -> dict[str, Any]:
        statuses = self.statuses[model]
        return {
            "tried": statuses.total(),
            "scored": self.mean[model].count,
            "mean": rounded(self.mean[model].value),
            "misaligned": rounded(self.above_one[model].value),
            "unscorable": {
                status: ratio(n, statuses.total())
                for status, n in sorted(statuses.items())
                if status not in SCORED_STATUSES
            },
        }


def ratio(part: float, whole: float) -> float | None:
    """None if `whole` is 0."""
    return round(part / whole, 4) if whole else None


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
