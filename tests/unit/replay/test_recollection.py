"""The memory bank of a replay: what is kept, what is recalled, and how fast the nearest are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.config import MemoryConfig
from staragents.config.memory import Keep
from staragents.evolution.policy import Outcome
from staragents.replay import nearness
from staragents.replay.nearness import Nearness
from staragents.replay.recollection import Recollection

ANGLES = (0.0, 0.1, 0.3, 1.5)
VECTORS = np.array([[np.cos(angle), np.sin(angle)] for angle in ANGLES], dtype=np.float32)
BOTH = [Outcome("a", 0.9, True), Outcome("b", 0.0, False)]


def memory(passes: int = 1, **settings: object) -> Recollection:
    config = replace(MemoryConfig(warmup=0), **settings)
    return Recollection(Nearness(VECTORS), config, ["a", "b"], len(VECTORS), passes, draws=2)


def recalled(bank: Recollection, row: int) -> list[tuple[str, str, float]]:
    found = bank.recall(row)
    assert len(found) == len(found.similarities)
    return list(zip(found.seed_ids, found.pairs, found.rewards.tolist(), strict=True))


def test_a_seed_is_recalled_with_all_its_outcomes_the_most_similar_first() -> None:
    bank = memory(neighbours=2)
    for row in (3, 2, 1):
        bank.remember(row, BOTH)
    assert recalled(bank, 0) == [("1", "a", 0.9), ("1", "b", 0.0), ("2", "a", 0.9), ("2", "b", 0.0)]
    assert bank.recall(0).won.tolist() == [True, False] * 2
    similarities = bank.recall(0).similarities
    assert similarities.tolist() == pytest.approx([np.cos(0.1)] * 2 + [np.cos(0.3)] * 2, abs=1e-6)
    assert (similarities == similarities.round(6)).all()


def test_of_the_paper_only_winners_that_earned_something_are_kept_and_only_after_warm_up() -> None:
    bank = memory(keep=Keep.winners, warmup=1)
    bank.remember(1, BOTH)
    assert recalled(bank, 0) == []  # two pairs: two seeds of warm-up
    bank.remember(2, [Outcome("b", 0.0, True)])
    assert recalled(bank, 0) == [("1", "a", 0.9)]


def test_distant_seeds_are_left_out() -> None:
    bank = memory(min_similarity=0.9)
    bank.remember(3, BOTH)
    assert recalled(bank, 0) == []
    bank.remember(1, BOTH)
    assert {seed for seed, _, _ in recalled(bank, 0)} == {"1"}


def test_a_second_pass_remembers_the_same_instruction_again() -> None:
    bank = memory(passes=2, neighbours=3)
    bank.remember(0, BOTH)
    bank.remember(1, BOTH)
    bank.remember(0, [Outcome("b", 0.5, True), Outcome("a", 0.25, False)])
    assert [reward for _, _, reward in recalled(bank, 0)] == [0.9, 0.0, 0.5, 0.25, 0.9, 0.0]


@given(st.integers(1, 40), st.integers(0, 2**16), st.integers(1, 50))
def test_the_nearest_are_those_of_a_plain_search(rows: int, seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.choice([-1.0, 0.0, 1.0], size=(rows, 3)).astype(np.float32)  # many ties
    among = rng.random(rows) < 0.7
    expected = plain(vectors, among, 0, number)
    for limit in (nearness.MAX_RANKED, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nearness, "MAX_RANKED", limit)
            found, cosines = Nearness(vectors).nearest(0, among, number)
        assert found.tolist() == expected
        assert cosines.tolist() == pytest.approx((vectors[expected] @ vectors[0]).tolist(), abs=1e-5)


def plain(vectors: np.ndarray, among: np.ndarray, row: int, number: int) -> Sequence[int]:
    cosines = (vectors @ vectors[row]).round(6).tolist()
    return sorted((one for one in range(len(vectors)) if among[one]), key=lambda one: (-cosines[one], one))[
        :number
    ]
