"""Alternatives to a run's choice where some seeds have no candidate or are in no arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from staragents.base.messages import Conversation, with_exchange
from staragents.evaluation import arms
from staragents.evaluation.arm import Arm
from staragents.evaluation.arms import arms_of
from staragents.evaluation.run_rows import Option, RunRows, SeedRows


def row(length: int) -> Conversation:
    return with_exchange((), "Say it.", "x" * length)


def seed(seed_id: str, options: Sequence[int], dataset: int | None, own: int) -> SeedRows:
    """A seed by the lengths of its candidates' answers, of its row in the dataset, and of its own answer."""
    candidates = tuple(
        Option(f"{seed_id}-{number}", "a+b", row(length), None, None) for number, length in enumerate(options)
    )
    return SeedRows(seed_id, row(own), candidates, None if dataset is None else row(dataset))


def run_of(seeds: Sequence[SeedRows], left_out: frozenset[str] = frozenset(), name: str = "first") -> RunRows:
    by_id = {one.seed_id: one for one in seeds}
    return RunRows(name, "sha", len(seeds), 0, "results", by_id, left_out, (), {})


ArmsFrom = Callable[..., dict[str, Arm]]


@pytest.fixture
def arms_from(monkeypatch: pytest.MonkeyPatch) -> ArmsFrom:
    def made(*runs: RunRows) -> dict[str, Arm]:
        named = {str(number): Path(str(number)) for number in range(len(runs))}
        monkeypatch.setattr(arms, "named_runs", lambda _: named)
        monkeypatch.setattr(RunRows, "read", lambda path, name: runs[int(name)])
        return {arm.name: arm for arm in arms_of(list(named.values()), ["dataset", "random-length"]).arms}

    return made


def lengths(arm: Arm) -> list[int]:
    return [len(one.messages[-1].content) for one in arm.rows]


SHORT = [seed(f"s{number}", (10, 100), 10, 100) for number in range(500)]
"""The run chose the short ones."""


def test_seeds_without_candidates_are_no_lengths_to_match(arms_from: ArmsFrom) -> None:
    found = arms_from(run_of([*SHORT, *(seed(f"n{number}", (), None, 100) for number in range(500))]))
    assert sum(lengths(found["dataset"])) == 55_000
    assert sum(lengths(found["random-length"])) == pytest.approx(55_000, rel=0.05)
    assert found["random-length"].filled == 500


def test_seeds_in_no_arm_are_no_lengths_to_match(arms_from: ArmsFrom) -> None:
    dropped = [seed(f"d{number}", (100,), None, 100) for number in range(500)]
    first = run_of([*SHORT, *dropped], frozenset(one.seed_id for one in dropped))
    found = arms_from(first)
    assert sum(lengths(found["random-length"])) == pytest.approx(sum(lengths(found["dataset"])), rel=0.05)
    assert len(found["dataset"].rows) == 500
    # The arms of a second run lack them too, although its own filters drop none.
    second = run_of([*SHORT, *(seed(one.seed_id, (10, 100), 100, 100) for one in dropped)], name="second")
    of_both = arms_from(first, second)
    assert of_both["second:random-length"].rows == found["random-length"].rows


def test_kept_seeds_with_candidates_are_lengths_to_match(arms_from: ArmsFrom) -> None:
    kept = [seed(f"k{number}", (10, 100), None, 100) for number in range(500)]
    found = arms_from(run_of([*SHORT, *kept]))
    assert sum(lengths(found["dataset"])) == 55_000
    assert sum(lengths(found["random-length"])) == pytest.approx(55_000, rel=0.05)
    assert found["random-length"].filled == 0
