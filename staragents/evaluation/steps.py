"""Equal work for all arms: the rows of every optimiser step. Integers only."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from staragents.base.records import stable_seed


@dataclass(frozen=True, slots=True)
class Piece:
    """Row `row` of an arm, of whose answer the first `tokens` are trained."""

    row: int
    tokens: int


Steps = tuple[tuple[Piece, ...], ...]


def steps_of(
    arms: Mapping[str, Sequence[int]], *, tokens: int, step_tokens: int, training_seed: int
) -> dict[str, Steps]:
    """The steps of every arm, with `tokens` answer tokens each.

    `arms` are the answer tokens (at least 1) of the rows of each arm. Rows come in an order that depends only
    on their number, the training seed and the epoch: arms with rows of the same seeds read them in the same
    order. An epoch ends when each row was read once; the last answer of all is cut to fit. All arms take the
    same number of steps, of about `step_tokens` answer tokens each, and of at least one row.

    Raises ValueError for no arms and for an arm without rows.
    """
    if not arms or not all(arms.values()):
        raise ValueError("expected arms with rows")
    read = {name: _read(rows, tokens, training_seed) for name, rows in arms.items()}
    steps = max(1, min(round(tokens / step_tokens), *(len(pieces) for pieces in read.values())))
    return {name: _divided(pieces, tokens, steps) for name, pieces in read.items()}


def _read(rows: Sequence[int], tokens: int, training_seed: int) -> list[Piece]:
    """Rows in order, epoch after epoch, up to `tokens` answer tokens."""
    pieces: list[Piece] = []
    left = tokens
    for epoch in count():
        order = list(range(len(rows)))
        random.Random(stable_seed("evaluation", str(training_seed), str(epoch))).shuffle(order)
        for row in order:
            pieces.append(Piece(row, min(left, rows[row])))
            left -= pieces[-1].tokens
            if not left:
                return pieces
    raise AssertionError


def _divided(pieces: Sequence[Piece], tokens: int, steps: int) -> Steps:
    """Each piece is in the step in which its first token falls if all steps had the same number of tokens,
    unless a step would be empty because of a long answer."""
    divided: list[list[Piece]] = [[] for _ in range(steps)]
    start, step = 0, 0
    for index, piece in enumerate(pieces):
        step = min(start * steps // tokens, step + 1) if index else 0
        # Enough pieces must remain for the steps after this one.
        step = max(step, steps - (len(pieces) - index))
        divided[step].append(piece)
        start += piece.tokens
    return tuple(tuple(step) for step in divided)
