"""Combines verdict and difficulty into one reward, and chooses the candidate that replaces a seed."""

from __future__ import annotations

from collections.abc import Sequence

from staragents.base.records import Candidate
from staragents.config import Composite, Fallback, RewardConfig


def composite(win: float | None, difficulty: float, kind: Composite, chance: float = 0.0) -> float | None:
    """Reward in [0, 1]: `product` is eq. 7, `weighted` the mean of both, `random` the number `chance`; the
    others use one side only.

    None if the verdict is required but unreadable, which says nothing about the candidate.
    """
    if kind is Composite.random:
        return chance
    if kind is Composite.dual_only:
        return difficulty
    if win is None:
        return None
    if kind is Composite.judge_only:
        return win
    return win * difficulty if kind is Composite.product else (win + difficulty) / 2.0


def choose(candidates: Sequence[Candidate], config: RewardConfig) -> Candidate | None:
    """The candidate of one seed that goes into the dataset; None keeps the seed.

    With `require_win`, the highest reward among the candidates that the judge prefers by more than the margin
    (w > 1/2 + margin), even if it is 0. Otherwise the paper's argmax over all candidates; if every reward is
    0, it is meaningless, hence the fallback. Ties go to the higher win probability, then to the smaller id.
    Rejected candidates, including misaligned ones, are never chosen.
    """
    usable = [one for one in candidates if one.generated and not one.rejected]
    rewarded = [(candidate.reward, candidate.judge_win or 0.0, candidate) for candidate in usable]
    eligible = [
        (-reward, -win, candidate.candidate_id, candidate)
        for reward, win, candidate in rewarded
        if reward is not None and (win > config.least_win if config.require_win else reward > 0.0)
    ]
    if eligible:
        return min(eligible, key=lambda entry: entry[:3])[-1]
    if config.fallback is Fallback.base:
        return next((candidate for candidate in usable if candidate.base), None)
    return None
