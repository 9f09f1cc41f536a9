"""Tables with costs: how they are read, the best agents per cost, and a policy that learns them."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.config import Config, Cost, RewardConfig
from staragents.replay.bounds import Bounds
from staragents.replay.recorded_table import RecordedTable
from tests.support.replays import replay_table

WIN = {"a": 0.5, "b": 0.25}


def table(folder: Path, *rows: dict) -> RecordedTable:
    path = folder / "table.jsonl"
    lines = [json.dumps({"instruction": f"number {n}", "win": WIN, **row}) for n, row in enumerate(rows)]
    path.write_text("\n".join(lines))
    return RecordedTable.read(path)


def test_costs_are_tokens_cost_or_the_words_of_responses(tmp_path: Path) -> None:
    rows = (
        {"tokens": {"a": 3, "b": 1.5}, "response": {"a": "long text here"}},
        {"cost": {"a": 2, "b": 4, "other": 9}},
        {"response": {"a": "one two three", "b": "one"}},
    )
    found = table(tmp_path, *rows).costs
    assert found is not None
    assert found.tolist() == [[3, 1.5], [2, 4], [3, 1]]
    assert table(tmp_path, rows[0], {"response": {"a": "b is missing"}}).costs is None
    assert table(tmp_path, rows[0], {}).costs is None


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([1], ":1:tokens: expected an object"),
        ({"a": -1, "b": 2}, ":1:tokens.a: expected a number of at least 0, got -1"),
        ({"a": 1, "b": "many"}, ":1:tokens.b: expected a number of at least 0, got 'many'"),
    ],
)
def test_a_bad_cost_is_named_by_file_row_and_field(tmp_path: Path, tokens: object, expected: str) -> None:
    with pytest.raises(BadInput) as raised:
        table(tmp_path, {"tokens": tokens})
    assert expected in str(raised.value)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 10)), min_size=2, max_size=6), st.integers(1, 2))
def test_the_best_agents_per_cost_are_those_of_a_full_search(
    agents: list[tuple[float, float]], draws: int
) -> None:
    rewards, costs = (np.array([column]) for column in zip(*agents, strict=True))
    names = tuple(f"agent{number}" for number in range(len(agents)))
    bounds = Bounds.of(RecordedTable("t", ("x",), names, rewards, costs), draws, with_cost=True)
    best = max(
        rewards[0, list(chosen)].sum() / costs[0, list(chosen)].sum()
        for chosen in combinations(range(len(agents)), draws)
    )
    assert bounds.fixed_per_cost == pytest.approx(best, rel=1e-9, abs=1e-12)


def test_with_cost_a_policy_prefers_the_cheap_agent() -> None:
    """Both are good, one costs ten times as much; the third is cheap and useless."""
    rows = 300
    rewards = np.tile([0.8, 0.75, 0.05], (rows, 1))
    costs = np.tile([1000.0, 100.0, 50.0], (rows, 1))
    recorded = RecordedTable("t", tuple(map(str, range(rows))), ("dear", "cheap", "useless"), rewards, costs)
    plain = replay_table(recorded, Config(), 1, 1, 5)
    aware = replay_table(recorded, Config(reward=RewardConfig(cost=Cost.tokens)), 1, 1, 5)
    assert plain.per_cost is None
    assert aware.per_cost is not None
    assert aware.bounds.fixed_agents_per_cost == ("cheap",)
    assert aware.bounds.fixed_per_cost == pytest.approx(0.0075)
    assert aware.per_cost > 0.6 * 0.0075
    assert plain.mean > aware.mean > 0.6
