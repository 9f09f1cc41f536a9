"""The outcome of a candidate or seed in one sentence."""

from __future__ import annotations

from staragents.agents.rejects import REASONS
from staragents.analysis.opponent import Opponent
from staragents.base.records import Candidate, Stage, Status, rejected_by
from staragents.config import Config, Difficulty, Fallback


def reason(candidate: Candidate, candidates: list[Candidate], config: Config) -> str:
    """Why the candidate was chosen or not among all `candidates` of its seed."""
    match candidate.status:
        case Status.failed:
            stage, agent = candidate.failed_stage, candidate.failed_agent
            return f"failed at stage {stage} ({agent}): {candidate.error_message}"
        case Status.rejected | Status.misaligned:
            return f"rejected: {_rejected(candidate.reject_reason or '')}"
        case Status.chosen:
            return f"chosen: {_merit(candidate, config)}"
        case Status.unjudged:
            return "not chosen: the judge's verdict was unreadable, so it has no reward"
    if _lacks_win(candidate, config):
        return f"not chosen: {_verdict(candidate, candidates, config)}"
    reward = candidate.reward or 0.0
    winner = next((other for other in candidates if other.selected), None)
    if winner is None:
        return f"not chosen: its reward is {reward:.3f}{_why_nothing(candidate, config)}"
    best = f"{winner.pair}, {winner.reward or 0.0:.3f}"
    return f"not chosen: its reward {reward:.3f} is not above that of {best}"


def group(candidate: Candidate, config: Config) -> str:
    """The same in a few words: a group or `group: kind`, for filtering."""
    match candidate.status:
        case Status.failed:
            return f"failed: {candidate.failed_stage}"
        case Status.rejected | Status.misaligned:
            return f"rejected: {(candidate.reject_reason or '').replace('_', ' ')}"
        case Status.chosen:
            return "chosen"
        case Status.unjudged:
            return "not chosen: no verdict"
    if not _lacks_win(candidate, config):
        return "not chosen: reward"
    return "not chosen: no verdict" if candidate.judge_win is None else "not chosen: judge"


def _lacks_win(candidate: Candidate, config: Config) -> bool:
    """Whether the verdict alone, or its lack, keeps it out of the dataset."""
    return config.reward.require_win and (candidate.judge_win or 0.0) <= config.reward.least_win


def outcome(candidates: list[Candidate], config: Config) -> str:
    """What the dataset contains for this seed."""
    chosen = next((candidate for candidate in candidates if candidate.selected), None)
    if chosen is not None:
        return f"the dataset contains the candidate of {chosen.pair}"
    if config.reward.fallback is not Fallback.seed:
        fallback = config.reward.fallback.value
        return f"no candidate was chosen, and the dataset omits the seed (reward.fallback={fallback})"
    return "no candidate was chosen, so the dataset keeps the original seed"


def _rejected(saved: str) -> str:
    stage, rule = rejected_by(saved)
    words = REASONS.get(rule, rule.replace("_", " "))
    return f"{words} (the rewritten instruction)" if stage is Stage.rewrite else words


def _verdict(candidate: Candidate, candidates: list[Candidate], config: Config) -> str:
    """Why it lacks the win that `reward.require_win` asks for."""
    win = candidate.judge_win
    if win is None and candidate.base and not candidate.unreadable:
        return "it is the base pair's sample, with which the judge compares the others (judge.baseline=base)"
    if win is None:
        return "the judge's verdict was unreadable"
    opponent = Opponent.of(candidate, candidates, config).name
    verdict = f"prefers {opponent}"
    if win >= 0.5:
        verdict = f"{'hardly prefers' if win > 0.5 else 'does not prefer'} it to {opponent}"
    return f"the judge {verdict} (w = {win:.2f}, required: above {config.reward.least_win:.2f})"


def _merit(candidate: Candidate, config: Config) -> str:
    lacks = _lacks_win(candidate, config) if config.reward.require_win else not candidate.reward
    if candidate.base and lacks:
        return "no candidate was eligible, so the base pair's sample is used (reward.fallback=base)"
    among = " among those that the judge prefers" if config.reward.require_win else ""
    return f"the highest reward{among}, {candidate.reward or 0.0:.3f}"


def _why_nothing(candidate: Candidate, config: Config) -> str:
    gap = candidate.ifd_gap
    if config.reward.difficulty is not Difficulty.target_only and gap is not None and gap <= 0:
        return f", because the larger model finds it no easier than the target model (gap {gap:.3f})"
    return ""
