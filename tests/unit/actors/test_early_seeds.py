"""A run whose first seed takes very long is killed: what finished behind the first is not done again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from actors.coordinator import Coordinator
from actors.seed_worker import SeedWorker
from staragents.agents.language import load_identifier
from staragents.base.records import Candidate, Stage
from staragents.config import Config
from staragents.run.inspection import inspect
from staragents.run.repair import repair
from staragents.run_directory.damage import Damaged
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.salvage import FOLDER, seed_ids
from staragents.validation.loading import load_config
from tests.support.forks import in_a_fork
from tests.support.held_worker import HeldWorker, resumed_rows
from tests.support.local_run import decided, local_run
from tests.support.paths import FAKE

SEEDS, ADMITTED = 12, 6
EARLY = set(range(2, ADMITTED + 1))
NEVER = {1: {SEEDS + 1}}
DEADLINE_S = 60.0


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    load_identifier()  # before the first fork


def config_for(folder: Path, *overrides: str) -> Config:
    settings = (f"seeds.limit={SEEDS}", f"run.admitted_seeds={ADMITTED}", "run.checkpoint_s=0.1")
    return load_config(FAKE, [f"output.dir={folder}", "memory.warmup=0", *settings, *overrides])


def early_files(folder: Path) -> list[Path]:
    return sorted((folder / FOLDER).glob("*.parquet"))


def early_rows(folder: Path) -> set[int]:
    tables = [pq.read_table(path, columns=["seed_row"]) for path in early_files(folder)]
    return {row for table in tables for row in table["seed_row"].to_pylist()}


def kill_at(folder: Path, rows: set[int]) -> None:
    """SIGKILL this process once the seeds in these rows are saved before their commit."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        with suppress(OSError):  # a file was removed since it was listed
            if rows <= early_rows(folder):
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.02)
    os._exit(3)


def killed_run(
    config: Config,
    early: set[int] = EARLY,
    worker: Callable[[SeedWorker], HeldWorker] = lambda worker: HeldWorker(worker, NEVER),
) -> None:
    """A run in a process of its own: its first seed never finishes, and it is killed."""

    def work() -> None:
        folder = Path(config.output.dir)
        threading.Thread(target=kill_at, args=(folder, early), daemon=True).start()
        asyncio.run(local_run(config, workers=lambda make: worker(make())))

    code, _ = in_a_fork(work)
    assert code == -signal.SIGKILL


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "undisturbed"
    asyncio.run(local_run(config_for(folder)))
    return folder


@pytest.mark.parametrize("checkpoint_s", [0, 0.1])
async def test_a_resumed_run_redoes_only_the_seeds_that_were_not_finished(
    tmp_path: Path, undisturbed: Path, checkpoint_s: float
) -> None:
    config = config_for(tmp_path / "run", f"run.checkpoint_s={checkpoint_s}")
    killed_run(config)
    assert decided(tmp_path / "run") == []
    assert inspect(RunDirectory(tmp_path / "run")) == []
    assert await resumed_rows(config) == [1, *range(ADMITTED + 1, SEEDS + 1)]
    assert decided(tmp_path / "run") == decided(undisturbed)
    for name in ("dataset.jsonl", "dataset.parquet", "quarantine.parquet"):
        assert (tmp_path / "run" / name).read_bytes() == (undisturbed / name).read_bytes()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        path.name for path in undisturbed.iterdir()
    }


async def test_seeds_are_saved_once_however_often_the_run_is_killed(tmp_path: Path) -> None:
    config = config_for(tmp_path / "run")
    killed_run(config)
    before = {path.name: path.stat().st_mtime_ns for path in early_files(tmp_path / "run")}
    killed_run(config)
    assert {path.name: path.stat().st_mtime_ns for path in early_files(tmp_path / "run")} == before
    assert await resumed_rows(config) == [1, *range(ADMITTED + 1, SEEDS + 1)]


async def test_rows_inserted_before_a_resume_delete_no_seeds_that_wait(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.jsonl"
    rows = [json.dumps({"instruction": f"Name river {n}.", "output": f"It is {n}."}) for n in range(SEEDS)]
    seeds.write_text("\n".join(rows))
    config = config_for(tmp_path / "run", f"seeds.path={seeds}")
    never = {SEEDS + 100}
    killed_run(config, {2, 3, 4}, lambda worker: HeldWorker(worker, dict.fromkeys((1, 5, 6), never)))
    before = early_files(tmp_path / "run")
    seeds.write_text(10 * "\n" + "\n".join(rows))
    killed_run(config, {15, 16}, lambda worker: HeldWorker(worker, {11: never}))
    assert set(before) < set(early_files(tmp_path / "run"))
    assert await resumed_rows(config) == [11, *range(17, 11 + SEEDS)]


class FailingOnce(HeldWorker):
    """The seed in row 3 fails, as if its engine were dying."""

    async def run(self, *work: object) -> list[Candidate]:
        candidates = await super().run(*work)  # type: ignore[arg-type]
        if candidates[0].seed_row == 3:
            candidates[0].failed_stage, candidates[0].failed_agent = Stage.answer.value, "keep"
        return candidates


async def test_a_failed_seed_is_tried_again(tmp_path: Path, undisturbed: Path) -> None:
    config = config_for(tmp_path / "run")
    killed_run(config, EARLY - {3}, lambda worker: FailingOnce(worker, NEVER))
    assert await resumed_rows(config) == [1, 3, *range(ADMITTED + 1, SEEDS + 1)]
    assert decided(tmp_path / "run") == decided(undisturbed)


async def test_damage_to_seeds_that_wait_is_said_and_costs_only_them(
    tmp_path: Path, undisturbed: Path
) -> None:
    config = config_for(tmp_path / "run")
    killed_run(config)
    (file, *others) = early_files(tmp_path / "run")
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    with pytest.raises(Damaged, match=rf"{FOLDER}/{file.name}: its content has changed.*staragents repair"):
        await local_run(config)
    folder = RunDirectory(tmp_path / "run")
    with folder.claimed():
        done = repair(folder)
    kept = sum(len(seed_ids(path)) for path in others)
    assert (done.moved, done.kept, done.lost) == ([f"damaged/{file.name}"], kept, 0)
    assert not (tmp_path / "run" / "manifest.json").exists(), "nothing is committed, so there is no result"
    assert len(await resumed_rows(config)) == SEEDS - kept
    assert decided(tmp_path / "run") == decided(undisturbed)


async def test_seeds_that_wait_do_not_hide_what_a_damaged_shard_lost(tmp_path: Path) -> None:
    config = config_for(tmp_path / "run", "run.checkpoint_s=0")
    killed_run(config, {5, 6, 7, 8, 9}, lambda worker: HeldWorker(worker, {4: {SEEDS + 1}}))
    folder = RunDirectory(tmp_path / "run")
    state = folder.state()
    assert state is not None
    assert state["cursor"] == 3
    folder.shards()[0].unlink()
    with folder.claimed():
        done = repair(folder)
    assert (done.kept, done.lost) == (7, 1)


async def test_a_drain_leaves_saved_seeds_for_later(tmp_path: Path, undisturbed: Path) -> None:
    config = config_for(tmp_path / "run")
    killed_run(config)

    async def drained(coordinator: Coordinator) -> None:
        await coordinator.drain()

    draining: list[asyncio.Task[None]] = []
    await local_run(config, lambda coordinator: draining.append(asyncio.ensure_future(drained(coordinator))))
    assert await resumed_rows(config) == [1, *range(ADMITTED + 1, SEEDS + 1)]
    assert decided(tmp_path / "run") == decided(undisturbed)


async def test_a_run_without_slow_seeds_is_saved_by_its_shards_alone(tmp_path: Path) -> None:
    seen: list[Path] = []

    async def look(coordinator: Coordinator) -> None:
        while True:
            seen.extend(early_files(tmp_path / "run"))
            await asyncio.sleep(0)

    looking: list[asyncio.Task[None]] = []
    await local_run(
        config_for(tmp_path / "run", "run.checkpoint_s=3600"),
        lambda coordinator: looking.append(asyncio.ensure_future(look(coordinator))),
    )
    looking[0].cancel()
    assert seen == []
