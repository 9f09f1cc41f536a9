"""What is packed for another process comes out equal."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.failure import Failure
from actors.request_messages import pack_answers, pack_requests, unpack_answers, unpack_requests
from actors.seed_messages import pack_finished, pack_work, unpack_finished, unpack_work
from staragents.base.generation import Generation, GenerationRequest, Sampling, TokenLogprobs
from staragents.base.messages import Message
from staragents.base.records import Candidate, Seed
from staragents.evolution.policy import Draw, DrawContext, Neighbour

texts = st.text(max_size=8)
numbers = st.floats(allow_nan=False)
counts = st.integers(0, 99)
messages = st.builds(
    Message, st.sampled_from(["user", "assistant"]), texts, st.none() | texts, st.none() | texts
)
conversations = st.lists(messages, max_size=3).map(tuple)
samplings = st.builds(Sampling, numbers, numbers, counts, st.lists(texts, max_size=2).map(tuple), counts)
schemas = st.none() | st.dictionaries(texts, texts, max_size=2)
requests = st.builds(
    GenerationRequest,
    *(texts, samplings, counts, st.none() | conversations, st.none() | texts, schemas, counts, numbers),
)
tokens = st.builds(TokenLogprobs, texts, st.dictionaries(texts, st.floats(-9, 0), max_size=2))
finishes = st.sampled_from(["stop", "length", "content_filter"])
generations = st.builds(
    Generation,
    *(texts, finishes, counts, counts, numbers, st.lists(tokens, max_size=2).map(tuple), texts, counts),
)
answers = generations | st.builds(Failure, texts, texts, st.booleans())


def inputs(conversation: tuple[Message, ...] | None) -> list[str | None]:
    """Not part of a message's equality."""
    return [message.input for message in conversation or ()]


@given(st.lists(requests, max_size=3))
def test_requests(asked: list[GenerationRequest]) -> None:
    found = unpack_requests(pack_requests([*asked, *asked]))
    assert found == [*asked, *asked]
    assert [inputs(one.messages) for one in found] == [inputs(one.messages) for one in [*asked, *asked]]


@given(st.lists(st.tuples(counts, answers), max_size=3))
def test_answers(given_answers: list[tuple[int, Generation | Failure]]) -> None:
    assert unpack_answers(pack_answers(given_answers)) == given_answers


def some_value(name: str) -> Any:
    """A value that differs between the columns of a candidate."""
    return {"messages": (Message("user", "q", input="i"), Message("assistant", "a", "thought"))}.get(
        name, name
    )


@given(st.builds(Seed, texts, counts, conversations), st.dictionaries(texts, numbers, max_size=3))
def test_work(seed: Seed, readings: dict[str, float]) -> None:
    context = DrawContext(3, (Neighbour("a+b", 0.5, 0.25),), readings)
    work = [(seed, [Draw("a+b", 0.5), Draw("a+c", 1.0)], context)] * 2
    found = list(unpack_work(pack_work(work)))
    assert found == work
    assert inputs(found[0][0].messages) == inputs(seed.messages)


@given(conversations)
def test_finished_candidates_keep_every_column(conversation: tuple[Message, ...]) -> None:
    columns = {field.name: some_value(field.name) for field in fields(Candidate)}
    candidates = [Candidate(**{**columns, "seed_messages": conversation, "pair": pair}) for pair in "ab"]
    ((index, found), (_, none)) = unpack_finished(pack_finished([(5, candidates), (6, [])]))
    assert (index, found, none) == (5, candidates, [])
    assert inputs(found[0].seed_messages) == inputs(conversation)
    assert found[0].seed_messages is found[1].seed_messages
