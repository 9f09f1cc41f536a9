"""Drawn seeds and finished candidates as bytes: one message for several seeds, of plain values."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

from actors.plain_values import conversation_of, conversation_values, values_of
from staragents.base.records import Candidate, Seed
from staragents.evolution.policy import Draw, DrawContext, Neighbour

_OF_CANDIDATE, _OF_DRAW, _OF_NEIGHBOUR = values_of(Candidate), values_of(Draw), values_of(Neighbour)
_NAMES = [field.name for field in fields(Candidate)]
_SEED_MESSAGES, _MESSAGES = _NAMES.index("seed_messages"), _NAMES.index("messages")

DrawnSeed = tuple[Seed, Sequence[Draw], DrawContext]


def pack_work(work: Iterable[DrawnSeed]) -> bytes:
    """Takes seeds with their draws; `unpack_work` returns equal ones."""
    rows = [
        (
            (seed.seed_id, seed.row, conversation_values(seed.messages)),
            [_OF_DRAW(drawn) for drawn in draws],
            (context.outcomes, [_OF_NEIGHBOUR(one) for one in context.neighbours], dict(context.readings)),
        )
        for seed, draws, context in work
    ]
    return pickle.dumps(rows, pickle.HIGHEST_PROTOCOL)


def unpack_work(packed: bytes) -> Iterator[DrawnSeed]:
    for (seed_id, row, messages), draws, (outcomes, neighbours, readings) in pickle.loads(packed):
        yield (
            Seed(seed_id, row, conversation_of(messages)),
            [Draw(*drawn) for drawn in draws],
            DrawContext(outcomes, tuple(Neighbour(*one) for one in neighbours), readings),
        )


def pack_finished(finished: Iterable[tuple[int, Sequence[Candidate]]]) -> bytes:
    """Takes the candidates of seeds, each with the index of its seed in the work; `unpack_finished` returns
    equal ones. The seed's own conversation is in the message once."""
    return pickle.dumps(
        [(index, _rows(candidates)) for index, candidates in finished], pickle.HIGHEST_PROTOCOL
    )


def unpack_finished(packed: bytes) -> list[tuple[int, list[Candidate]]]:
    return [(index, _candidates(*rows)) for index, rows in pickle.loads(packed)]


def _rows(candidates: Sequence[Candidate]) -> tuple[Any, list[list[Any]]]:
    rows = []
    for candidate in candidates:
        row = list(_OF_CANDIDATE(candidate))
        row[_SEED_MESSAGES], row[_MESSAGES] = None, conversation_values(candidate.messages)
        rows.append(row)
    return conversation_values(candidates[0].seed_messages) if candidates else [], rows


def _candidates(seed_messages: list[tuple[Any, ...]], rows: list[list[Any]]) -> list[Candidate]:
    shared = conversation_of(seed_messages)
    for row in rows:
        row[_SEED_MESSAGES], row[_MESSAGES] = shared, conversation_of(row[_MESSAGES])
    return [Candidate(*row) for row in rows]
