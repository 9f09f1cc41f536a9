"""How instructive a candidate is for the target model: difficulty in [0, 1] from two models' IFDs."""

from __future__ import annotations

from collections.abc import Sequence

from staragents.base.records import Candidate
from staragents.config import Difficulty
from staragents.reward.rank_sketch import RankSketch


def misaligned(candidate: Candidate) -> bool:
    """Whether an IFD is above 1: the instruction makes the response less likely, so they do not match.

    For the target model, this is how the author of IFD interprets it (Cherry_LLM #2, Superfiltering #7). If
    the instruction does not help the larger model either, that is at least as strong a sign.
    """
    return any(ifd is not None and ifd > 1.0 for ifd in (candidate.target_ifd, candidate.larger_ifd))


def ranked_value(candidate: Candidate, kind: Difficulty) -> float | None:
    """The value that this kind of difficulty ranks over the run; None if not measured or not needed."""
    if kind is Difficulty.paper:
        return None
    return candidate.target_ifd if kind is Difficulty.target_only else candidate.ifd_gap


def difficulties(candidates: Sequence[Candidate], kind: Difficulty, seen: RankSketch) -> list[float]:
    """The difficulty of each candidate of ONE seed; 0 for candidates without scores.

    paper: gap / the seed's largest gap (eq. 5), clipped to [0, 1]; 0 for all if no gap is positive, because
    the division would reverse the order. All others give 0 for a misaligned candidate. rank: the gap's
    rank in `seen`, 0 unless positive; gap_p95: gap / the 95th percentile of `seen`; target_only: the rank
    of the target model's IFD. `seen` already contains these candidates' `ranked_value`s.
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
    p95 = seen.quantile(0.95)
    return min(value / p95, 1.0) if p95 > 0.0 else 0.0
