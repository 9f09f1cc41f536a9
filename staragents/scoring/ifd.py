"""The measurements of one row: two mean NLLs and the IFD variants derived from them. Floats only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from staragents.base.messages import Conversation

# Bytes per average English token: puts byte-normalised IFDs on the usual scale.
KAPPA = 4.0
# A larger exponent overflows a double; an IFD of 1e304 is as misaligned as any larger one.
_MAX_EXPONENT = 700.0
_MIN_DIRECT_NLL = 1e-6


class Status(StrEnum):
    """Outcome of scoring a row. Only SCORED_STATUSES have values; a failure is never 0 or NaN."""

    ok = "ok"
    empty = "empty"
    too_short = "too_short"
    prompt_too_long = "prompt_too_long"
    truncated = "truncated"
    nonfinite = "nonfinite"


SCORED_STATUSES = (Status.ok, Status.truncated)


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A conversation whose last message is the answer to score; everything before it is the prompt."""

    messages: Conversation


@dataclass(frozen=True, slots=True)
class Score:
    """NLLs of one answer in mean nats per answer token, with the prompt (`cond`) and without (`direct`).

    `tokens` counts the scored answer tokens, `tokens_total` all answer tokens, `answer_bytes` the UTF-8
    length of the scored text.
    """

    nll_cond: float | None
    nll_direct: float | None
    tokens: int
    tokens_total: int
    answer_bytes: int
    status: Status

    @property
    def ifd(self) -> float | None:
        """exp(L_c - L_d), the ratio of perplexities (Star-Agents eq. 4). Above 1: misaligned."""
        if self.nll_cond is None or self.nll_direct is None:
            return None
        return _exp(self.nll_cond - self.nll_direct)

    @property
    def ifd_loss(self) -> float | None:
        """L_c / L_d (Cherry_LLM). Crosses 1 together with `ifd`, but ranks differently: don't mix them."""
        if self.nll_cond is None or self.nll_direct is None or self.nll_direct < _MIN_DIRECT_NLL:
            return None
        return self.nll_cond / self.nll_direct

    @property
    def ifd_bytes(self) -> float | None:
        """exp(kappa (NLL_c - NLL_d) / bytes) with summed NLLs: comparable across tokenizers (ours)."""
        if self.nll_cond is None or self.nll_direct is None or not self.answer_bytes:
            return None
        return _exp(KAPPA * self.tokens * (self.nll_cond - self.nll_direct) / self.answer_bytes)


def ifd_gap(target: Score, larger: Score, same_tokenizer: bool) -> float | None:
    """IFD_small - IFD_large (Star-Agents eq. 5, before the division); None if either is missing.

    Models with different tokenizers are compared by byte-normalised IFD.
    """
    small = target.ifd if same_tokenizer else target.ifd_bytes
    large = larger.ifd if same_tokenizer else larger.ifd_bytes
    return None if small is None or large is None else small - large


def _exp(exponent: float) -> float:
    return math.exp(min(exponent, _MAX_EXPONENT))
