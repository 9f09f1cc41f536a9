"""The outcome of a candidate or seed in one sentence."""

from __future__ import annotations

from staragents.base.records import MISALIGNED, Candidate
from staragents.config import Config, Difficulty

REJECTED = {
    MISALIGNED: "its instruction makes its response less likely (an IFD above 1), so they do not match",
    "answered": "it answers the instruction instead of rewriting it",
    "cut_off": "it was truncated at max_tokens",
    "damaged": "it contains a broken character (U+FFFD)",
    "echo": "it repeats the instruction",
    "empty": "it is empty",
    "lost_input": "it lost the input text of the instruction",
    "no_change": "it says the same as the seed's instruction",
    "other_language": "it is in another language than the seed",
    "prompt_leak": "it repeats the agent's own prompt",
    "refusal": "it is a refusal",
    "repetition": "it repeats itself",
    "too_long": "it is far longer than the seed's instruction",
}


def reason(candidate: Candidate, candidates: list[Candidate], config: Config) -> str:
    """Why the candidate was chosen or not among all `candidates` of its seed."""
    if candidate.failed_stage is not None:
        return (
            f"failed at stage {candidate.failed_stage} ({candidate.failed_agent}): {candidate.error_message}"
        )
    if candidate.reject_reason is not None:
        return f"rejected: {_rejected(candidate.reject_reason)}"
    if candidate.selected:
        return f"chosen: {_merit(candidate, config)}"
    if candidate.reward is None:
        return "not chosen: the judge's verdict was unreadable, so it has no reward"
    if config.reward.require_win and (candidate.judge_win or 0.0) <= 0.5:
        win = candidate.judge_win or 0.0
        return f"not chosen: the judge prefers {_opponent(config)} (w = {win:.2f}, required: above 0.50)"
    winner = next((other for other in candidates if other.selected), None)
    if winner is None:
        return f"not chosen: its reward is {candidate.reward:.3f}{_why_nothing(candidate, config)}"
    best = f"{winner.pair}, {winner.reward or 0.0:.3f}"
    return f"not chosen: its reward {candidate.reward:.3f} is not above that of {best}"


def outcome(candidates: list[Candidate], config: Config) -> str:
    """What the dataset contains for this seed."""
    chosen = next((candidate for candidate in candidates if candidate.selected), None)
    if chosen is not None:
        return f"the dataset contains the candidate of {chosen.pair}"
    if config.reward.fallback.value == "none":
        return "no candidate was chosen, and the dataset omits the seed (reward.fallback=none)"
    return "no candidate was chosen, so the dataset keeps the original seed"


def _rejected(name: str) -> str:
    text = name.removeprefix("rewrite_")
    words = REJECTED.get(text, text.replace("_", " "))
    return f"{words} (the rewritten instruction)" if text != name else words


def _merit(candidate: Candidate, config: Config) -> str:
    if candidate.base and not candidate.reward:
        return "no candidate was eligible, so the base pair's sample is used (reward.fallback=base)"
    among = " among those that the judge prefers" if config.reward.require_win else ""
    return f"the highest reward{among}, {candidate.reward or 0.0:.3f}"


def _opponent(config: Config) -> str:
    return "the base pair's sample" if config.judge.baseline.value == "base" else "the seed"


def _why_nothing(candidate: Candidate, config: Config) -> str:
    gap = candidate.ifd_gap
    if config.reward.difficulty is not Difficulty.target_only and gap is not None and gap <= 0:
        return f", because the larger model finds it no easier than the target model (gap {gap:.3f})"
    return ""
