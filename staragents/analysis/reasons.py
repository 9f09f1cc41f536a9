"""The outcome of a candidate or seed in one sentence."""

from __future__ import annotations

from staragents.analysis.rows import Row
from staragents.base.records import MISALIGNED
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


def reason(row: Row, rows: list[Row], config: Config) -> str:
    """Why the candidate `row` was chosen or not among all `rows` of its seed."""
    if row["failed_stage"] is not None:
        return f"failed at stage {row['failed_stage']} ({row['failed_agent']}): {row['error_message']}"
    if row["reject_reason"] is not None:
        return f"rejected: {_rejected(row['reject_reason'])}"
    if row["selected"]:
        return f"chosen: {_merit(row, config)}"
    if row["reward"] is None:
        return "not chosen: the judge's verdict was unreadable, so it has no reward"
    if config.reward.require_win and (row["judge_win"] or 0.0) <= 0.5:
        win = row["judge_win"] or 0.0
        return f"not chosen: the judge prefers {_opponent(config)} (w = {win:.2f}, required: above 0.50)"
    winner = next((other for other in rows if other["selected"]), None)
    if winner is None:
        return f"not chosen: its reward is {row['reward']:.3f}{_why_nothing(row, config)}"
    best = f"{winner['pair']}, {winner['reward'] or 0.0:.3f}"
    return f"not chosen: its reward {row['reward']:.3f} is not above that of {best}"


def outcome(rows: list[Row], config: Config) -> str:
    """What the dataset contains for this seed."""
    chosen = next((row for row in rows if row["selected"]), None)
    if chosen is not None:
        return f"the dataset contains the candidate of {chosen['pair']}"
    if config.reward.fallback.value == "none":
        return "no candidate was chosen, and the dataset omits the seed (reward.fallback=none)"
    return "no candidate was chosen, so the dataset keeps the original seed"


def _rejected(name: str) -> str:
    text = name.removeprefix("rewrite_")
    words = REJECTED.get(text, text.replace("_", " "))
    return f"{words} (the rewritten instruction)" if text != name else words


def _merit(row: Row, config: Config) -> str:
    if row["base"] and not row["reward"]:
        return "no candidate was eligible, so the base pair's sample is used (reward.fallback=base)"
    among = " among those that the judge prefers" if config.reward.require_win else ""
    return f"the highest reward{among}, {row['reward'] or 0.0:.3f}"


def _opponent(config: Config) -> str:
    return "the base pair's sample" if config.judge.baseline.value == "base" else "the seed"


def _why_nothing(row: Row, config: Config) -> str:
    gap = row["ifd_gap"]
    if config.reward.difficulty is not Difficulty.target_only and gap is not None and gap <= 0:
        return f", because the larger model finds it no easier than the target model (gap {gap:.3f})"
    return ""
