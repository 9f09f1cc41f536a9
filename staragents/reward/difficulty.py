"""How instructive a candidate is for the target model: difficulty in [0, 1] from two models' IFDs."""

from __future__ import annotations

from collections.abc import Sequence

from staragents.config import Difficulty
from staragents.records import Candidate
from staragents.reward.rank_sketch import RankSketch


def misaligned(candidate: Candidate) -> bool:
    """An IFD above 1: the instruction makes the answer less likely, so the two don't belong together.

    For the target model this is the reading of IFD's author (Cherry_LLM #2, Superfiltering #7); that the
    larger model isn't helped either weighs at least as much.
    """
    return any(ifd is not None and ifd > 1.0 for ifd in (candidate.target_ifd, candidate.larger_ifd))


def ranked_value(candidate: Candidate, kind: Difficulty) -> float | None:
    """What this kind of difficulty collects over the run; None if it wasn't measured or none is needed."""
    if kind is Difficulty.paper:
        return None
    return candidate.target_ifd if kind is Difficulty.target_only else candidate.ifd_gap


def difficulties(candidates: Sequence[Candidate], kind: Difficulty, seen: RankSketch) -> list[float]:
    """The difficulty of each of ONE seed's candidates; what couldn't be scored gets 0.

    paper: gap over the seed's largest gap, eq. 5, cut to [0, 1] and 0 throughout if no gap is positive
    (dividing would turn the order round). The others are 0 for a misaligned candidate. rank: the gap's
    rank in `seen`, 0 unless positive; gap_p95: gap over the 95th percentile of `seen`; target_only: rank of
    the target model's IFD. `seen` already holds these candidates' `ranked_value`s.
    """
    if kind is Difficulty.paper:
        return _over_largest([candidate.ifd_gap for candidate in candidates])
    return [_difficulty(candidate, kind, seen) for candidate in candidates]


def _over_largest(gaps: Sequence[float | None]) -> list[float]:
    largest = max((gap for gap in gaps if gap is not None), default=0.0)
    if largest <= 0.0:
        return [0.0] * len(gaps)
    return [0.0 if gap is None else max(gap / largest, 0.0) for gap in gaps]


def _difficulty(candidate: Candidate, kind: Difficulty, seen: RankSketch) -> float:
    value = ranked_value(candidate, kind)
    if value is None or misaligned(candidate):
        return 0.0
    if kind is Difficulty.target_only:
        return seen.rank(value)
    if value <= 0.0:
        return 0.0
    if kind is Difficulty.rank:
        return seen.rank(value)
    large = seen.quantile(0.95)
    return min(value / large, 1.0) if large > 0.0 else 0.0
