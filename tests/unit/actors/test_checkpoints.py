"""What a checkpoint holds, and what is left of it after a kill at any point."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from actors.checkpoints import EARLY_EVERY_S, Checkpoints
from staragents.base.records import Candidate, Stage
from staragents.data.seed_file import SeedFile
from staragents.run.inspection import inspect
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import Naming, RunState, naming
from staragents.run_directory.salvage import FOLDER, is_settled, unreadable
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

PAIRS = {"a+b": ("a", "b"), "c+d": ("c", "d")}


def finished(row: int, **measured: Any) -> list[Candidate]:
    """A seed's candidates before their commit."""
    return [
        Candidate(f"s{row}", f"s{row} {pair}", pair, rewriter, writer, 1.0, (), seed_row=row, **measured)
        for pair, (rewriter, writer) in PAIRS.items()
    ]


@pytest.fixture
def folder(tmp_path: Path) -> RunDirectory:
    config = load_config(FAKE, [f"output.dir={tmp_path / 'run'}"])
    run = RunDirectory(config.output.dir)
    run.create(config, SeedFile(config.seeds).scan())
    return run


def opened(run: RunDirectory, every_s: float = 3600.0) -> Checkpoints:
    """As a run that begins or resumes opens them."""
    checkpoints = Checkpoints(run, "session", every_s, list(PAIRS), 8)
    checkpoints.restore()
    return checkpoints


def state_of(run: RunDirectory, cursor: int) -> dict[str, Any]:
    state = run.state()
    assert state is not None
    return {**state, "cursor": cursor}


async def taken(checkpoints: Checkpoints, rows: Iterable[int]) -> list[list[Candidate] | None]:
    return [await checkpoints.finished(f"s{row}") for row in rows]


def waiting(run: RunDirectory) -> list[Path]:
    return sorted((run.path / FOLDER).glob("*"))


async def test_seeds_that_wait_for_their_commit_are_restored_as_they_were(folder: RunDirectory) -> None:
    checkpoints = opened(folder)
    await checkpoints.keep([finished(2), finished(4)])
    await checkpoints.keep([finished(3)])
    assert len(waiting(folder)) == 2
    assert inspect(folder) == []
    resumed = opened(folder)
    assert await taken(resumed, range(1, 6)) == [None, *map(finished, (2, 3, 4)), None]
    assert await taken(resumed, [2]) == [None], "returned once"


async def test_a_checkpoint_keeps_all_that_names_the_run(folder: RunDirectory) -> None:
    before = naming(cast("RunState", state_of(folder, 0)))
    progress = {key: value for key, value in state_of(folder, 1).items() if key not in before}
    await opened(folder).save(progress)
    assert naming(cast("RunState", state_of(folder, 1))) == before
    assert set(before) == set(Naming.__annotations__)


async def test_a_file_of_waiting_seeds_goes_once_a_state_has_all_of_them(folder: RunDirectory) -> None:
    checkpoints = opened(folder)
    await checkpoints.keep([finished(2), finished(3)])
    for row in (1, 2):
        checkpoints.add(finished(row))
    await checkpoints.save(state_of(folder, 2))
    assert len(waiting(folder)) == 1, "seed 3 is nowhere else"
    resumed = opened(folder)
    assert await taken(resumed, [3]) == [finished(3)]
    resumed.add(finished(3))
    await resumed.save(state_of(folder, 3))
    assert waiting(folder) == []


@pytest.mark.parametrize("lost", ["write_state", "write_shard"])
async def test_a_file_of_waiting_seeds_stays_until_the_state_is_written(
    folder: RunDirectory, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = opened(folder)
    await checkpoints.keep([finished(1), finished(2)])

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, lost, killed)
    checkpoints.add(finished(1))
    with pytest.raises(KeyboardInterrupt):
        await checkpoints.save(state_of(folder, 1))
    monkeypatch.undo()
    resumed = opened(folder)
    assert await taken(resumed, (1, 2, 3)) == [finished(1), finished(2), None]


async def test_a_kill_before_waiting_seeds_are_written_leaves_the_state(
    folder: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = opened(folder)
    checkpoints.add(finished(1))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints._salvage, "add", killed)
    await checkpoints.save(state_of(folder, 1))
    with pytest.raises(KeyboardInterrupt):
        await checkpoints.keep([finished(3)])
    resumed = opened(folder)
    assert state_of(folder, 1) == folder.state()
    assert await taken(resumed, (1, 3)) == [None, None]


async def test_a_run_goes_on_when_waiting_seeds_can_not_be_saved(
    folder: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = opened(folder, every_s=0.0)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("actors.checkpoints.EARLY_EVERY_S", 0.0)
    slow, other = (asyncio.get_running_loop().create_future() for _ in range(2))
    checkpoints.watch(other)
    other.set_result(finished(2))
    assert not await checkpoints.wait(slow)
    with monkeypatch.context() as failing:
        failing.setattr(checkpoints._salvage, "add", full)
        assert not await checkpoints.keep([finished(2)])
    assert not await asyncio.wait_for(checkpoints.wait(slow), 10), "tried again without another seed"
    assert await checkpoints.keep([finished(2)])
    assert not checkpoints.due


async def test_seeds_with_pairs_of_another_config_hide_no_newer_ones(folder: RunDirectory) -> None:
    checkpoints = opened(folder)
    other = [replace(one, pair="x+y") for one in finished(2)]
    await checkpoints.keep([other, finished(3)])
    await checkpoints.keep([finished(2)])
    assert await taken(opened(folder), (2, 3)) == [finished(2), finished(3)]


async def test_a_file_that_a_run_deletes_meanwhile_is_not_damaged(folder: RunDirectory) -> None:
    await opened(folder).keep([finished(2)])
    (path,) = waiting(folder)
    path.unlink()
    assert unreadable(folder.path, path) is None


async def test_a_temporary_file_of_a_killed_writer_is_removed(folder: RunDirectory) -> None:
    await opened(folder).keep([finished(2)])
    (kept,) = waiting(folder)
    kept.with_name(".early-12345678.parquet.abc.tmp").write_bytes(b"PAR1")
    opened(folder)
    assert waiting(folder) == [kept]


async def test_a_save_is_due_only_when_a_seed_finished_since_the_last(
    folder: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.checkpoints.EARLY_EVERY_S", 0.0)
    checkpoints = opened(folder, every_s=0.0)
    first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
    for seed in (first, second):
        checkpoints.watch(seed)
    waits = asyncio.ensure_future(checkpoints.wait(first))
    await asyncio.sleep(0.05)
    assert not waits.done(), "nothing to save"
    second.set_result(finished(2))
    assert not await waits
    assert checkpoints.early_due
    await checkpoints.keep([finished(2)])
    assert not checkpoints.early_due
    waits = asyncio.ensure_future(checkpoints.wait(first))
    await asyncio.sleep(0.05)
    assert not waits.done(), "all of it is saved"
    first.set_result(finished(1))
    assert await waits


async def test_waiting_seeds_are_not_written_with_every_save(folder: RunDirectory) -> None:
    checkpoints = opened(folder, every_s=0.0)
    seed = asyncio.get_running_loop().create_future()
    checkpoints.watch(seed)
    seed.set_result(finished(2))
    await asyncio.sleep(0)
    checkpoints.add(finished(1))
    assert checkpoints.due
    assert not checkpoints.early_due, "within EARLY_EVERY_S"
    await checkpoints.save(state_of(folder, 1))
    assert not checkpoints.due
    assert checkpoints._finished.is_set(), "still to be saved"


async def test_committed_seeds_that_are_kept_do_not_postpone_the_state(
    folder: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_time, by_rows = opened(folder, every_s=0.0), opened(folder)
    monkeypatch.setattr(by_rows, "_every_rows", len(PAIRS))
    for checkpoints in (by_time, by_rows):
        checkpoints.add(finished(1))
        assert await checkpoints.keep([])
        assert checkpoints.due
        await checkpoints.save(state_of(folder, 1))
        assert not checkpoints.due


async def test_a_seed_that_is_finished_before_a_save_is_due_is_not_kept_waiting(folder: RunDirectory) -> None:
    checkpoints = opened(folder)
    first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
    for seed in (first, second):
        checkpoints.watch(seed)
    second.set_result(finished(2))
    waits = asyncio.ensure_future(checkpoints.wait(first))
    await asyncio.sleep(0.05)
    assert not waits.done()
    first.set_result(finished(1))
    assert await waits


async def test_an_interval_that_has_begun_leaves_a_hanging_step_only_its_rest(folder: RunDirectory) -> None:
    checkpoints = opened(folder, every_s=100.0)
    assert 90 < checkpoints.patience_s <= 100
    checkpoints._tried_early -= 60
    assert 30 < checkpoints.patience_s <= 40
    checkpoints._tried_early -= 60
    assert checkpoints.patience_s == EARLY_EVERY_S, "a short answer needs no file"
    await checkpoints.keep([])
    assert 90 < checkpoints.patience_s <= 100


async def test_seeds_that_can_not_be_saved_are_tried_again_after_an_interval(
    folder: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    checkpoints = opened(folder, every_s=100.0)
    monkeypatch.setattr(checkpoints._salvage, "add", full)
    checkpoints._tried_early -= 100
    checkpoints._finished.set()
    assert checkpoints.early_due
    assert not await checkpoints.keep([finished(2)])
    assert not checkpoints.early_due, "not at once, over and over"


JUDGED = {"stage_tokens": {"judge.in": 5, "judge.out": 1}}


def test_a_seed_whose_failure_may_be_that_of_the_run_is_tried_again_after_a_kill() -> None:
    good = finished(1, judge_win=0.5, **JUDGED)
    failed = finished(1, failed_stage=Stage.answer.value, failed_agent="a")
    unread = finished(1, **JUDGED)
    rejected = finished(1, reject_reason="too_short")
    assert is_settled(good)
    assert is_settled(rejected)
    assert is_settled([good[0], unread[1]]), "the judge gives verdicts"
    assert not is_settled([good[0], failed[1]])
    assert is_settled([replace(failed[0], error_class="PromptTooLong")]), "a later request fails too"
    assert not is_settled([rejected[0], unread[1]])
