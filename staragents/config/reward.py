"""What a candidate is worth."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
    """One number for difficulty and verdict, and what goes into the dataset (paper eq. 5-7)."""

    difficulty: Difficulty = Difficulty.rank
    """rank: the gap's running rank in the run; paper: gap over the seed's largest gap."""
    composite: Composite = Composite.product
    """product is the paper's eq. 7; weighted is the mean of both; the others are ablations, random a pick
    that knows nothing."""
    require_win: bool = True
    """Only candidates the judge prefers (w > 1/2) are chosen; the paper has no threshold."""
    cost: Cost = Cost.none
    """What the policy learns reward per: tokens or seconds of a candidate, verdicts included. Which candidate
    is chosen stays the same. seconds differ from run to run, so that draws can't be repeated."""
    fallback: Fallback = Fallback.seed
    """If nothing is chosen: keep the seed, take the base pair's sample, or leave the seed out."""
