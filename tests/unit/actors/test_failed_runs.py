"""A run that fails, or whose memory bank hangs, saves all finished seeds: they are not processed again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.coordinator import Coordinator
from actors.seed_worker import SeedWorker
from staragents.base.errors import RunFailed
from staragents.base.records import Candidate, Stage
from staragents.config import Config
from staragents.evolution.policy import RecalledOutcomes
from staragents.run.inspection import inspect
from staragents.run_directory.continued import Continued
from staragents.run_directory.resume_check import check_resume
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_lock import OWNER
from staragents.run_directory.salvage import FOLDER, seed_ids
from staragents.validation.loading import load_config, with_overrides
from tests.support.held_worker import HeldWorker, resumed_rows
from tests.support.local_run import decided, local_run, state
from tests.support.paths import FAKE

SEEDS, ADMITTED = 12, 6
BEHIND = set(range(2, ADMITTED + 1))
LATER = list(range(ADMITTED + 1, SEEDS + 1))


def config_for(folder: Path, *overrides: str) -> Config:
    settings = (f"seeds.limit={SEEDS}", f"run.admitted_seeds={ADMITTED}", "run.checkpoint_s=3600")
    return load_config(FAKE, [f"output.dir={folder}", "memory.warmup=0", *settings, *overrides])


def salvaged(folder: Path) -> int:
    """The number of seeds that are saved apart."""
    return len({seed_id for path in (folder / FOLDER).glob("*.parquet") for seed_id in seed_ids(path)})


class LastFirst(HeldWorker):
    """The first seed finishes after those admitted with it, as `ends` says."""

    def __init__(self, worker: SeedWorker, ends: Callable[[list[Candidate]], None]) -> None:
        super().__init__(worker, {1: BEHIND})
        self._ends = ends

    async def run(self, *work: Any) -> list[Candidate]:
        candidates = await super().run(*work)
        if candidates[0].seed_row == 1:
            self._ends(candidates)
        return candidates


class Bank:
    """Replaces the memory actor's calls for one seed by `call`, while a coordinator uses it."""

    def __init__(self, actor: Any, call: Callable[[], Any]) -> None:
        self._actor, self._call = actor, call

    def __getattr__(self, name: str) -> Any:
        async def called(*arguments: Any) -> Any:
            if name == "commit_and_recall":
                await self._call()
            return await getattr(self._actor, name).remote(*arguments)

        return SimpleNamespace(remote=lambda *arguments: asyncio.ensure_future(called(*arguments)))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "undisturbed"
    asyncio.run(local_run(config_for(folder)))
    return folder


async def test_a_worker_that_keeps_dying_costs_its_seed_only(tmp_path: Path, undisturbed: Path) -> None:
    config = config_for(tmp_path / "run")

    def dies(_: list[Candidate]) -> None:
        raise RunFailed("its seed worker died 3 times")

    with pytest.raises(RunFailed, match="died 3 times"):
        await local_run(config, workers=lambda make: LastFirst(make(), dies))
    assert salvaged(tmp_path / "run") == len(BEHIND)
    assert inspect(RunDirectory(tmp_path / "run")) == []
    assert await resumed_rows(config) == [1, *LATER]
    assert decided(tmp_path / "run") == decided(undisturbed)


async def test_a_run_that_fails_too_often_saves_the_seeds_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.failure_rules.MINIMUM", 1)
    config = config_for(tmp_path / "run")

    def fails(candidates: list[Candidate]) -> None:
        for candidate in candidates:
            candidate.failed_stage, candidate.failed_agent = Stage.answer.value, "keep"

    with pytest.raises(RunFailed, match="max_error_rate"):
        await local_run(config, workers=lambda make: LastFirst(make(), fails))
    assert len({row["seed_id"] for row in decided(tmp_path / "run")}) == 1
    assert salvaged(tmp_path / "run") >= len(BEHIND)
    assert set(await resumed_rows(config)) <= set(LATER)


async def test_a_bank_that_fails_costs_no_finished_seed(tmp_path: Path, undisturbed: Path) -> None:
    config = config_for(tmp_path / "run")

    async def full() -> None:
        raise RunFailed("memory: can't write")

    def before(coordinator: Coordinator) -> None:
        coordinator._memory._actor = Bank(coordinator._memory._actor, full)

    with pytest.raises(RunFailed, match="memory: can't write"):
        await local_run(config, before, workers=lambda make: LastFirst(make(), lambda _: None))
    assert decided(tmp_path / "run") == []
    assert salvaged(tmp_path / "run") == ADMITTED, "the committed one too"
    assert await resumed_rows(config) == LATER
    assert decided(tmp_path / "run") == decided(undisturbed)


async def test_seeds_that_finish_while_the_bank_hangs_are_saved(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.checkpoints.EARLY_EVERY_S", 0.0)
    config = config_for(tmp_path / "run", "run.checkpoint_s=0.1")
    behind = {row: {1} for row in BEHIND}
    saved: list[int] = []

    async def hangs() -> None:
        if saved:
            return
        saved.append(0)
        async with asyncio.timeout(60):
            while (found := salvaged(tmp_path / "run")) < ADMITTED:
                await asyncio.sleep(0.01)
        saved[0] = found

    def before(coordinator: Coordinator) -> None:
        coordinator._memory._actor = Bank(coordinator._memory._actor, hangs)

    await local_run(config, before, workers=lambda make: HeldWorker(make(), behind))
    assert saved == [ADMITTED]
    assert decided(tmp_path / "run") == decided(undisturbed)
    assert not (tmp_path / "run" / FOLDER).exists()


async def test_a_bank_that_hangs_late_in_an_interval_gets_only_its_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.checkpoints.EARLY_EVERY_S", 0.0)
    coordinators: list[Coordinator] = []

    async def hangs() -> None:
        async with asyncio.timeout(20):
            while salvaged(tmp_path / "run") < ADMITTED:
                await asyncio.sleep(0.01)
        raise RunFailed("all is saved")

    def late(_: list[Candidate]) -> None:
        coordinators[0]._checkpoints._tried_early -= 3600

    def before(coordinator: Coordinator) -> None:
        coordinators.append(coordinator)
        coordinator._memory._actor = Bank(coordinator._memory._actor, hangs)

    with pytest.raises(RunFailed, match="all is saved"):
        await local_run(config_for(tmp_path / "run"), before, workers=lambda make: LastFirst(make(), late))


async def test_the_state_follows_while_every_draw_waits_for_the_bank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.checkpoints.EARLY_EVERY_S", 0.05)
    config = config_for(tmp_path / "run", "run.checkpoint_s=0.05")
    on_disk: list[int] = []

    async def slow() -> None:
        on_disk.append(state(tmp_path / "run")["cursor"])
        await asyncio.sleep(0.06)

    def before(coordinator: Coordinator) -> None:
        coordinator._memory._actor = Bank(coordinator._memory._actor, slow)

    await local_run(config, before, workers=lambda make: LastFirst(make(), lambda _: None))
    assert on_disk[:ADMITTED] == list(range(ADMITTED)), "saved after every commit"


async def test_a_failure_while_the_first_seeds_are_drawn_costs_no_finished_seed(
    tmp_path: Path, undisturbed: Path
) -> None:
    config = config_for(tmp_path / "run")
    workers: list[HeldWorker] = []

    def seen(make: Callable[[], SeedWorker]) -> HeldWorker:
        workers.append(HeldWorker(make(), {}))
        return workers[0]

    def before(coordinator: Coordinator) -> None:
        recall, calls = coordinator._memory.commit_and_recall, []

        async def fails_at_the_fourth(*arguments: Any) -> RecalledOutcomes:
            calls.append(arguments)
            if len(calls) < 4:
                return await recall(*arguments)
            async with asyncio.timeout(60):
                while coordinator._pending.done < 3:
                    await asyncio.sleep(0.01)
            raise RunFailed("memory: can't read")

        coordinator._memory.commit_and_recall = fails_at_the_fourth  # type: ignore

    with pytest.raises(RunFailed, match="memory: can't read"):
        await local_run(config, before, workers=seen)
    assert sorted(workers[0].finished) == [1, 2, 3]
    assert salvaged(tmp_path / "run") == 3
    assert await resumed_rows(config) == list(range(4, SEEDS + 1))
    assert decided(tmp_path / "run") == decided(undisturbed)


async def test_a_failure_loses_no_change_of_the_config(tmp_path: Path) -> None:
    config = config_for(tmp_path / "run")
    changed = with_overrides(
        config, ["agents.response.brief={model: writer, prompt: direct}", "run.patience=9"]
    )
    coordinators: list[Coordinator] = []

    class Changing(HeldWorker):
        async def run(self, *work: Any) -> list[Candidate]:
            candidates = await super().run(*work)
            if candidates[0].seed_row == 1:
                await coordinators[0].change_config(changed)
                found = RunDirectory(config.output.dir).state()
                assert found is not None
                assert found["config"]["run"]["patience"] == 9, "already"
                await coordinators[0].drain()
                raise RunFailed("its seed worker died 3 times")
            return candidates

    with pytest.raises(RunFailed, match="died 3 times"):
        await local_run(config, coordinators.append, workers=lambda make: Changing(make(), {1: BEHIND}))
    found = check_resume(RunDirectory(config.output.dir), config)
    assert found == Continued(changed, ("agents.response.brief", "run.patience"))


async def test_a_run_that_another_command_has_taken_over_writes_nothing_more(tmp_path: Path) -> None:
    config = config_for(tmp_path / "run")

    def taken_over(_: list[Candidate]) -> None:
        (tmp_path / "run" / OWNER).write_text('{"session": "another"}')
        raise RunFailed("its seed worker died 3 times")

    with pytest.raises(RunFailed, match="died 3 times"):
        await local_run(config, workers=lambda make: LastFirst(make(), taken_over))
    assert salvaged(tmp_path / "run") == 0
