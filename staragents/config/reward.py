"""The reward of a candidate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from staragents.config.marks import Mark, Range, Was

LARGEST_MARGIN = 0.49


class Difficulty(StrEnum):
    rank = "rank"
    paper = "paper"
    target_only = "target_only"
    gap_p95 = "gap_p95"


class Composite(StrEnum):
    product = "product"
    weighted = "weighted"
    judge_only = "judge_only"
    dual_only = "dual_only"
    random = "random"


class Cost(StrEnum):
    none = "none"
    tokens = "tokens"
    seconds = "seconds"


class Fallback(StrEnum):
    seed = "seed"
    base = "base"
    none = "none"


@dataclass
class RewardConfig:
    """The reward from difficulty and verdict, and the choice for the dataset (paper eq. 5-7)."""

    difficulty: Difficulty = Difficulty.rank
    """rank: running rank of the IFD gap within the run; paper: gap divided by the largest gap of the seed."""
    composite: Composite = Composite.product
    """product is eq. 7 of the paper; weighted is the mean of both; the others are ablations, and random
    ignores both."""
    require_win: bool = True
    """Choose only candidates that the judge prefers (w > 1/2 + margin); the paper has no threshold."""
    margin: Annotated[float, Range(0, LARGEST_MARGIN), Mark.added, Was(0.0)] = 0.1
    """With `require_win`: choose only candidates with w above 1/2 plus this, as a weak judge's w is often
    near 1/2 whatever it compares. `doctor --judge` measures the margin that a judge needs."""
    cost: Cost = Cost.none
    """The policy maximises reward per token or per second of a candidate, judging included. It does not
    affect which candidate is chosen. seconds vary between runs, so draws are not reproducible."""
    fallback: Fallback = Fallback.seed
    """If no candidate is chosen: keep the seed, take the base pair's sample, or omit the seed."""

    @property
    def least_win(self) -> float:
        """With `require_win`, the probability w above which a candidate may replace the seed."""
        return 0.5 + self.margin
