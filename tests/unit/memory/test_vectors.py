"""Exact search: the same neighbours whatever the order, the preparation and what came and went since."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.memory.memory import DIGITS
from staragents.memory.vectors import Vectors

SIZE = 6


def vectors_of(rng: np.random.Generator, count: int) -> np.ndarray:
    """Unit vectors, many of them equal."""
    drawn = rng.integers(-2, 3, size=(count, SIZE)).astype(np.float32)
    drawn[~drawn.any(axis=1), 0] = 1.0
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def nearest(among: dict[int, np.ndarray], query: np.ndarray, limit: int) -> dict[int, float]:
    """By the definition: the `limit` nearest and all as near as the last of them."""
    cosines = {
        number: round(float(vector.astype(np.float64) @ query.astype(np.float64)), DIGITS)
        for number, vector in among.items()
    }
    least = sorted(cosines.values(), reverse=True)[:limit][-1:] or [0.0]
    return {number: cosine for number, cosine in cosines.items() if cosine >= least[0]}


def found(vectors: Vectors, query: np.ndarray, limit: int, name: str = "") -> dict[int, float]:
    rows, cosines = vectors.nearest(query, limit, name)
    return dict(zip(vectors.numbers(rows), (round(one, DIGITS) for one in cosines.tolist()), strict=True))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    before=st.integers(0, 60),
    after=st.integers(0, 30),
    gone=st.floats(0, 1),
    limit=st.integers(1, 12),
)
def test_a_prepared_query_finds_what_the_definition_says(
    seed: int, before: int, after: int, gone: float, limit: int
) -> None:
    rng = np.random.default_rng(seed)
    given_vectors, query = vectors_of(rng, before + after), vectors_of(rng, 1)[0]
    vectors, present = Vectors(SIZE), {}
    for number in range(before):
        vectors.add(number, given_vectors[number])
        present[number] = given_vectors[number]
    vectors.expect(["query"], query[None], limit)
    kept = rng.random(before) >= gone
    vectors.keep(kept)
    present = {number: vector for number, vector in present.items() if kept[number]}
    for number in range(before, before + after):
        vectors.add(number, given_vectors[number])
        present[number] = given_vectors[number]
    expected = nearest(present, query, limit)
    assert found(vectors, query, limit) == pytest.approx(expected, abs=1e-9)
    assert found(vectors, query, limit, "query") == pytest.approx(expected, abs=1e-9)
    assert len(vectors) == len(present)


def test_the_order_of_insertion_and_the_width_of_the_product_change_nothing() -> None:
    rng = np.random.default_rng(1)
    given_vectors = rng.normal(size=(3000, 96)).astype(np.float32)
    given_vectors /= np.linalg.norm(given_vectors, axis=1, keepdims=True)
    queries, texts = given_vectors[:40] + np.float32(0.01), range(3000)
    results = []
    for order in (texts, rng.permutation(3000), reversed(texts)):
        vectors, name = Vectors(96), list(order)
        for number, text in enumerate(name):
            vectors.add(number, given_vectors[text])
        vectors.expect([str(n) for n in range(40)], queries, 20)
        results.append(
            [
                {name[number]: cosine for number, cosine in found(vectors, query, 20, str(n)).items()}
                for n, query in enumerate(queries)
            ]
        )
        assert [found(vectors, query, 20) for query in queries[:5]] == [
            found(vectors, query, 20, str(n)) for n, query in enumerate(queries[:5])
        ]
    assert results[0] == results[1] == results[2]


def test_what_was_prepared_is_bounded_and_can_be_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("staragents.memory.vectors.KEPT", 3)
    vectors = Vectors(2)
    vectors.expect([str(n) for n in range(5)], np.zeros((5, 2), np.float32), 1)
    assert list(vectors._shortlists) == ["2", "3", "4"]
    vectors.forget("3")
    vectors.forget("never known")
    assert list(vectors._shortlists) == ["2", "4"]
