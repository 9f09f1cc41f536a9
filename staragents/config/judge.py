"""How candidates are compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from staragents.config.marks import ONE_OR_MORE, ZERO_OR_MORE


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
    """The judge that compares a candidate with its baseline, in both orders (paper eq. 6)."""

    model: str = ""
    """A name from `models`. A model family other than the generators' is recommended."""
    verdict: Verdicts = Verdicts.soft
    """soft uses the probabilities of the verdict tokens; hard and conservative use only the verdict's
    text."""
    baseline: Baseline = Baseline.seed
    """What a candidate must beat: the seed, or (base) the first base pair's sample, as in the paper."""
    compare: Compare = Compare.pair
    """pair judges instruction and response together; response_same_instruction has the base agent also answer
    the candidate's instruction, at the cost of one more generation."""
    both_orders: bool = True
    """False halves the number of judge calls but keeps position bias; the paper describes no swap."""
    reason: bool = True
    """Ask for a short reason before the verdict; costs tokens and helps larger judges."""
    max_reason_chars: Annotated[int, ONE_OR_MORE] = 200
    """Maximum length of the reason."""
    max_text_chars: Annotated[int, ONE_OR_MORE] = 6000
    """Longer texts lose their middle before they are shown to the judge, on both sides alike."""
    retries: Annotated[int, ZERO_OR_MORE] = 1
    """Retries after an unreadable verdict; after the last one the row is `invalid`, not a tie."""
