"""How candidates are compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdicts(StrEnum):
    soft = "soft"
    hard = "hard"
    conservative = "conservative"


class Baseline(StrEnum):
    seed = "seed"
    base = "base"


class Compare(StrEnum):
    pair = "pair"
    response_same_instruction = "response_same_instruction"


@dataclass
class JudgeConfig:
    """Who compares a candidate with what it should beat, in both orders (paper eq. 6)."""

    model: str = ""
    """A name from `models`. A family other than the generators' is recommended."""
    verdict: Verdicts = Verdicts.soft
    """soft uses the verdict tokens' probabilities; hard and conservative only the verdict's text."""
    baseline: Baseline = Baseline.seed
    """seed: better than what you had. base: better than the first base pair's sample, as in the paper."""
    compare: Compare = Compare.pair
    """pair judges instruction and response together; response_same_instruction lets the base agent answer
    the candidate's instruction too, at the cost of one more generation."""
    both_orders: bool = True
    """False saves half the calls and lets position bias through; the paper describes no swap."""
    reason: bool = True
    """A short reason before the verdict; costs tokens, helps larger judges."""
    max_reason_chars: int = 200
    """Length of that reason."""
    max_text_chars: int = 6000
    """Longer texts are shown to the judge cut in the middle, both sides alike."""
    retries: int = 1
    """Further tries at an unreadable verdict; then the row is `invalid`, not a tie."""
