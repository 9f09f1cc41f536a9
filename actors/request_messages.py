"""Requests and answers as bytes: one message for several of them, of plain values.

What requests share (sampling, the judge's schema) is in the message once.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from actors.failure import Failure
from actors.plain_values import conversation_of, conversation_values, values_of
from staragents.base.generation import Generation, GenerationRequest, Sampling, TokenLogprobs

_OF_SAMPLING, _OF_REQUEST = values_of(Sampling), values_of(GenerationRequest)
_OF_TOKEN, _OF_GENERATION, _OF_FAILURE = values_of(TokenLogprobs), values_of(Generation), values_of(Failure)
_NAMES = [field.name for field in fields(GenerationRequest)]
_SAMPLING, _MESSAGES = _NAMES.index("sampling"), _NAMES.index("messages")
_LOGPROBS = [field.name for field in fields(Generation)].index("logprobs")

Answer = Generation | Failure


def pack_requests(requests: Sequence[GenerationRequest]) -> bytes:
    """Takes requests; `unpack_requests` returns equal ones."""
    samplings: dict[int, tuple[Any, ...]] = {}
    rows = []
    for request in requests:
        row = list(_OF_REQUEST(request))
        sampling = request.sampling
        # By identity: agents give all their requests the same object.
        row[_SAMPLING] = samplings.get(id(sampling)) or samplings.setdefault(
            id(sampling), _OF_SAMPLING(sampling)
        )
        if request.messages is not None:
            row[_MESSAGES] = conversation_values(request.messages)
        rows.append(row)
    return pickle.dumps(rows, pickle.HIGHEST_PROTOCOL)


def unpack_requests(packed: bytes) -> list[GenerationRequest]:
    requests = []
    for row in pickle.loads(packed):
        row[_SAMPLING] = Sampling(*row[_SAMPLING])
        if row[_MESSAGES] is not None:
            row[_MESSAGES] = conversation_of(row[_MESSAGES])
        requests.append(GenerationRequest(*row))
    return requests


def pack_answers(answers: Iterable[tuple[int, Answer]]) -> bytes:
    """Takes answers, each with the index of its request; `unpack_answers` returns equal ones."""
    rows: list[tuple[int, bool, Sequence[Any]]] = []
    for index, answer in answers:
        if isinstance(answer, Failure):
            rows.append((index, False, _OF_FAILURE(answer)))
            continue
        row = list(_OF_GENERATION(answer))
        row[_LOGPROBS] = [_OF_TOKEN(token) for token in answer.logprobs]
        rows.append((index, True, row))
    return pickle.dumps(rows, pickle.HIGHEST_PROTOCOL)


def unpack_answers(packed: bytes) -> list[tuple[int, Answer]]:
    answers: list[tuple[int, Answer]] = []
    for index, succeeded, row in pickle.loads(packed):
        if succeeded:
            row[_LOGPROBS] = tuple(TokenLogprobs(*token) for token in row[_LOGPROBS])
        answers.append((index, Generation(*row) if succeeded else Failure(*row)))
    return answers
