"""The two IFD conventions: which tokens of a row are scored, and given which context. Integers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from staragents.scoring.ifd import Status

SUPERFILTERING_MAX_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Span:
    """A token sequence in which ids[start:] are scored, each given all previous ids; start >= 1."""

    ids: tuple[int, ...]
    start: int

    @property
    def tokens(self) -> int:
        return len(self.ids) - self.start


@dataclass(frozen=True, slots=True)
class Passes:
    """The forward passes of one row: both spans if `status` is ok or truncated, otherwise none."""

    status: Status
    tokens_total: int
    cond: Span | None = None
    direct: Span | None = None


def exact(
    prompt: Sequence[int], answer: Sequence[int], *, bos: int, max_length: int, min_tokens: int
) -> Passes:
    """The same answer ids in both passes: [bos] + prompt + answer and [bos] + answer (ours).

    Both are tokenised separately and without special tokens. `bos` (EOS if the tokenizer has no BOS) allows
    scoring the first answer token without a prompt. Only the answer is truncated, equally in both. A prompt
    that leaves room for fewer than `min_tokens` answer tokens is too long.
    """
    if len(answer) < max(1, min_tokens):
        return Passes(Status.too_short if answer else Status.empty, len(answer))
    # Many chat templates already include BOS; models were not trained with two.
    context = [bos, *(prompt[1:] if prompt and prompt[0] == bos else prompt)]
    kept = list(answer[: max(0, max_length - len(context))])
    if len(kept) < max(1, min_tokens):
        return Passes(Status.prompt_too_long, len(answer))
    return Passes(
        Status.ok if len(kept) == len(answer) else Status.truncated,
        len(answer),
        cond=Span((*context, *kept), len(context)),
        direct=Span((bos, *kept), 1),
    )


def superfiltering(
    prompt: Sequence[int], whole: Sequence[int], answer: Sequence[int], *, max_length: int, min_tokens: int
) -> Passes:
    """As the Superfiltering repository scores (code_ifd/data_analysis.py), to reproduce its tables.

    `whole` is prompt and answer tokenised together; its answer is taken to start at the length of the prompt
    tokenised alone. The direct pass is the answer without BOS, so its first token is not scored. All ids are
    without special tokens, as in GPT-2's tokenizer. Needs two answer tokens.
    """
    max_length = min(max_length, SUPERFILTERING_MAX_LENGTH)
    least = max(2, min_tokens)
    if len(answer) < least:
        return Passes(Status.too_short if answer else Status.empty, len(answer))
    # The first token of a sequence can't be predicted.
    cond = Span(tuple(whole[:max_length]), max(1, len(prompt)))
    room = min(max_length, max_length - min(len(prompt), max_length) + 1)
    direct = Span(tuple(answer[:room]), 1)
    if len(direct.ids) < least or cond.tokens < least - 1:
        return Passes(Status.prompt_too_long, len(answer))
    cut = len(cond.ids) < len(whole) or len(direct.ids) < len(answer)
    return Passes(Status.truncated if cut else Status.ok, len(answer), cond=cond, direct=direct)
