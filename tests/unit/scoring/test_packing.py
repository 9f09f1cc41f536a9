"""Batches and packs of token sequences."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.scoring.packing import pack_documents, pack_padded

lengths_and_budget = (st.lists(st.integers(1, 5000), max_size=200), st.integers(1, 10_000))


@pytest.mark.parametrize("pack", [pack_padded, pack_documents])
@given(lengths=lengths_and_budget[0], budget=lengths_and_budget[1])
def test_every_index_is_in_exactly_one_batch(pack, lengths: list[int], budget: int) -> None:
    batches = pack(lengths, budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(batches)


@given(*lengths_and_budget)
def test_a_batch_of_several_keeps_its_padded_size_within_the_budget(lengths: list[int], budget: int) -> None:
    for batch in pack_padded(lengths, budget):
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= budget


@given(*lengths_and_budget)
def test_batches_are_as_full_as_their_longest_allows(lengths: list[int], budget: int) -> None:
    batches = pack_padded(lengths, budget)
    for batch in batches[:-1]:
        assert max(lengths[i] for i in batch) * (len(batch) + 1) > budget


@given(*lengths_and_budget)
def test_lengths_never_grow_from_batch_to_batch(lengths: list[int], budget: int) -> None:
    order = [lengths[i] for batch in pack_padded(lengths, budget) for i in batch]
    assert order == sorted(lengths, reverse=True)


@pytest.mark.parametrize("pack", [pack_padded, pack_documents])
def test_an_over_long_sequence_is_alone(pack) -> None:
    assert pack([3, 50, 3], 10) == [[1], [0, 2]]


@given(*lengths_and_budget)
def test_a_pack_of_several_keeps_its_tokens_within_the_budget(lengths: list[int], budget: int) -> None:
    for pack in pack_documents(lengths, budget):
        assert len(pack) == 1 or sum(lengths[i] for i in pack) <= budget


@st.composite
def full_packs(draw, budget: int = 1000) -> tuple[list[int], int]:
    """Lengths that fill some packs of `budget` exactly, shuffled, and the number of these packs."""
    packs = draw(st.lists(st.lists(st.integers(1, budget - 1), max_size=6, unique=True), max_size=30))
    cuts = [[0, *sorted(pack), budget] for pack in packs]
    lengths = [high - low for cut in cuts for low, high in pairwise(cut)]
    return draw(st.permutations(lengths)), len(packs)


@given(full_packs())
def test_there_are_at_most_eleven_ninths_of_the_fewest_packs_and_one(case: tuple[list[int], int]) -> None:
    lengths, fewest = case
    assert len(pack_documents(lengths, 1000)) <= 11 / 9 * fewest + 1


@given(*lengths_and_budget)
def test_no_two_packs_fit_into_one(lengths: list[int], budget: int) -> None:
    tokens = sorted(sum(lengths[i] for i in pack) for pack in pack_documents(lengths, budget))
    assert len(tokens) < 2 or sum(tokens[:2]) > budget


def test_a_short_sequence_fills_the_fullest_pack_with_room() -> None:
    assert pack_documents([6, 5, 4, 3], 10) == [[0, 2], [1, 3]]
    assert pack_documents([7, 6, 2, 3], 10) == [[0, 3], [1, 2]]
    assert pack_documents([10] * 3, 10) == [[0], [1], [2]]
