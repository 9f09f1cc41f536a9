from hypothesis import given
from hypothesis import strategies as st

from staragents.scoring.packing import pack_padded

lengths_and_budget = (st.lists(st.integers(1, 5000), max_size=200), st.integers(1, 10_000))


@given(*lengths_and_budget)
def test_every_index_is_in_exactly_one_batch(lengths: list[int], budget: int) -> None:
    assert sorted(i for batch in pack_padded(lengths, budget) for i in batch) == list(range(len(lengths)))


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


def test_an_over_long_sequence_is_alone() -> None:
    assert pack_padded([3, 50, 3], 10) == [[1], [0, 2]]
