"""The number of scorers follows the waiting rows, within bounds, and ignores bursts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cluster.pools.scorer_load import BUSY_PACKS, DOWN_AFTER_S, UP_AFTER_S, ScorerLoad

PACK = 1000
BUSY = BUSY_PACKS * PACK


def sizes(load: ScorerLoad, looks: list[tuple[float, int]], actors: int, low: int, high: int) -> list[int]:
    """The pool resizes immediately."""
    found = []
    for now, outstanding in looks:
        actors = load.wanted(now, actors, outstanding, low, high)
        found.append(actors)
    return found


def test_rows_that_wait_for_a_while_add_scorers() -> None:
    looks = [(float(now), 3 * BUSY) for now in range(0, 30, 2)]
    found = sizes(ScorerLoad(PACK), looks, 1, 1, 8)
    # Twice as many after ten seconds, and as many as the rows need ten seconds later.
    assert found == [1] * 5 + [2] * 6 + [3] * 4


def test_a_burst_adds_none() -> None:
    looks = [(float(now), 9 * BUSY if now % 8 else 0) for now in range(0, 60, 2)]
    assert set(sizes(ScorerLoad(PACK), looks, 1, 1, 8)) == {1}


def test_idle_scorers_are_removed_one_by_one() -> None:
    looks = [(float(now), PACK // 2) for now in range(0, 200, 2)]
    found = sizes(ScorerLoad(PACK), looks, 3, 1, 8)
    assert found[:30] == [3] * 30
    assert found[-1] == 1
    assert sorted(found, reverse=True) == found


@given(
    looks=st.lists(st.integers(0, 20 * BUSY), max_size=60),
    step_s=st.sampled_from([0.5, UP_AFTER_S, DOWN_AFTER_S]),
    low=st.integers(0, 3),
    more=st.integers(0, 5),
    actors=st.integers(0, 9),
)
def test_a_size_is_always_within_its_bounds(
    looks: list[int], step_s: float, low: int, more: int, actors: int
) -> None:
    timed = [(index * step_s, outstanding) for index, outstanding in enumerate(looks)]
    assert all(low <= size <= low + more for size in sizes(ScorerLoad(PACK), timed, actors, low, low + more))
