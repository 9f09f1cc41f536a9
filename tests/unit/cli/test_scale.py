"""Sizes and pools that `staragents scale` accepts, and its errors for others."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.cli.scale import parse_size, pool_key
from cluster.driver.running_job import joined
from staragents.base.errors import BadInput, RunFailed


@pytest.mark.parametrize(
    ("text", "expected"), [("3", (3, 3)), ("1:4", (1, 4)), ("0", (0, 0)), ("2:2", (2, 2))]
)
def test_a_size_is_a_number_or_a_range(text: str, expected: tuple[int, int]) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["4:2", "-1", "two", "0:3", "1:2:3", ""])
def test_a_size_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"^N\|MIN:MAX: expected "):
        parse_size(text)


def test_a_model_wins_over_scorers_of_its_name() -> None:
    pools = dict.fromkeys(("models.target", "scoring.target", "scoring.larger"))
    assert pool_key("target", pools) == "models.target"
    assert pool_key("scoring.target", pools) == "scoring.target"
    assert pool_key("larger", pools) == "scoring.larger"
    with pytest.raises(BadInput, match=r"POOL: expected one of models\.target, .*, got 'big'"):
        pool_key("big", pools)


def test_scaling_a_run_that_is_not_running_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(RunFailed, match="is not running here"), joined(str(tmp_path)):
        pass
    with pytest.raises(BadInput, match="RUN: expected a run directory"), joined("nothing"):
        pass
