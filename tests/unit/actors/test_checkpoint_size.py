"""How many candidates a checkpoint waits for."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.checkpoints import Checkpoints
from staragents.base.records import Candidate
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import ROWS_PER_SHARD


@pytest.mark.parametrize("admitted", [8, 4 * ROWS_PER_SHARD])
def test_a_state_is_not_written_more_often_than_its_seeds_in_flight_change(
    tmp_path: Path, admitted: int
) -> None:
    checkpoints = Checkpoints(RunDirectory(tmp_path), "session", 3600.0, ["a+b"], admitted)
    one = Candidate(
        seed_id="s",
        candidate_id="c",
        pair="a+b",
        instruction_agent="a",
        response_agent="b",
        propensity=1.0,
        seed_messages=(),
    )
    checkpoints.add([one] * (max(admitted, ROWS_PER_SHARD) - 1))
    assert not checkpoints.due
    checkpoints.add([one])
    assert checkpoints.due
