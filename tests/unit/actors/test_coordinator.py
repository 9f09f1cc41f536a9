"""The coordinator in one process, on fake engines: decisions depend on results, not on their order."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from actors.coordinator import Coordinator
from actors.failure import Failure
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.run_directory.manifest import is_of_state, read_manifest
from staragents.run_directory.resume_check import additions_to
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config, with_overrides
from tests.support.held_worker import HeldWorker
from tests.support.local_run import LocalHandle, decided, drained_run, local_handles, local_run, state
from tests.support.paths import FAKE


class Shuffled:
    """A pool with `in_flight` concurrent requests, each with its own delay."""

    def __init__(self, pool: LocalHandle, in_flight: int, order: random.Random) -> None:
        self._pool, self._slots, self._order = pool, asyncio.Semaphore(in_flight), order

    async def remote(self, request: GenerationRequest) -> Generation | Failure:
        async with self._slots:
            for _ in range(self._order.randrange(6)):
                await asyncio.sleep(0)
            return await self._pool.remote(request)


async def shuffled_run(
    config: Config, in_flight: int = 16, order: int = 0, stop_after: int | None = None
) -> None:
    """Run or resume to the end, or until some seeds are committed."""
    shuffle = random.Random(order)
    pools = {name: Shuffled(pool, in_flight, shuffle) for name, pool in (await local_handles(config)).items()}

    if stop_after is None:
        await local_run(config, handles=pools)
    else:
        await drained_run(config, stop_after, pools)


def config_for(folder: Path, *overrides: str) -> Config:
    """Recall is enabled, so that draws depend on the bank too."""
    memory = ("memory.warmup=0", "memory.min_similarity=0.2")
    return load_config(FAKE, [f"output.dir={folder}", "seeds.limit=40", *memory, *overrides])


@pytest.mark.parametrize(("in_flight", "order"), [(1, 1), (4, 2), (16, 3), (16, 4)])
async def test_draws_and_dataset_do_not_depend_on_who_answers_first(
    finished_run: Path, tmp_path: Path, in_flight: int, order: int
) -> None:
    await shuffled_run(config_for(tmp_path / "run"), in_flight, order)
    assert len(decided(finished_run)) > 100
    assert any(row["neighbours"] for row in decided(finished_run))
    assert decided(tmp_path / "run") == decided(finished_run)
    datasets = [(folder / "dataset.jsonl").read_bytes() for folder in (tmp_path / "run", finished_run)]
    assert datasets[0] == datasets[1]


@pytest.mark.parametrize("stop_after", [1, 9, 23])
async def test_a_drained_run_resumes_as_if_it_had_never_stopped(
    finished_run: Path, tmp_path: Path, stop_after: int
) -> None:
    config = config_for(tmp_path / "run")
    await shuffled_run(config, in_flight=4, order=5, stop_after=stop_after)
    assert 0 < len(decided(tmp_path / "run")) < len(decided(finished_run))
    await shuffled_run(config, in_flight=16, order=6)
    assert decided(tmp_path / "run") == decided(finished_run)


async def test_a_driver_that_calls_again_awaits_the_same_run(finished_run: Path, tmp_path: Path) -> None:
    config = config_for(tmp_path / "run")
    calls: list[asyncio.Task[dict[str, Any]]] = []

    async def call_again(coordinator: Coordinator) -> dict[str, Any]:
        while coordinator.progress.seeds < 9:
            await asyncio.sleep(0)
        again = asyncio.ensure_future(coordinator.run())
        await asyncio.sleep(0)
        await coordinator.drain()
        return await again

    summary = await local_run(
        config, lambda coordinator: calls.append(asyncio.ensure_future(call_again(coordinator)))
    )
    assert await calls[0] == summary
    pending = [saved["seed_id"] for saved in state(tmp_path / "run")["pending"]]
    assert 0 < len(pending) == len(set(pending))
    await local_run(config)
    assert decided(tmp_path / "run") == decided(finished_run)


async def test_agents_can_be_added_and_retired_when_a_run_is_resumed(tmp_path: Path) -> None:
    config = config_for(tmp_path / "run")
    await shuffled_run(config, stop_after=12)
    before = decided(tmp_path / "run")
    newcomer = ["agents.response.brief.model=writer", "agents.response.brief.prompt=direct"]
    leaver = list(config.agents.response)[-1]
    changed = config_for(tmp_path / "run", *newcomer, f"agents.retired=[{leaver}]")
    assert additions_to(RunDirectory(tmp_path / "run"), changed) == ["agents.response.brief"]
    coordinators: list[Coordinator] = []
    await local_run(changed, coordinators.append)
    after = decided(tmp_path / "run")
    assert after[: len(before)] == before, "what was done stays as it is"
    assert len({row["seed_id"] for row in after}) == 40
    # Seeds whose pairs were drawn before the change keep them.
    order = list(dict.fromkeys(row["seed_id"] for row in after))
    early = set(order[: 12 + 2 * config.run.admitted_seeds])
    late = {row["pair"] for row in after if row["seed_id"] not in early}
    assert any(pair.endswith("+brief") for pair in late)
    assert not any(pair.endswith(f"+{leaver}") for pair in late)
    (pair_stats,) = [coordinator._committed.evolution.pair_stats() for coordinator in coordinators]
    learnt = {standing.pair: standing.observations for standing in pair_stats}
    assert sum(n for pair, n in learnt.items() if pair.endswith(f"+{leaver}")) > 0, "not forgotten"


async def test_the_same_command_keeps_what_was_changed_while_the_run_was_running(tmp_path: Path) -> None:
    config = config_for(tmp_path / "run")
    await drained_run(config, 4)
    leaver = list(config.agents.response)[-1]
    brief = "agents.response.brief={model: writer, prompt: direct}"
    changed = with_overrides(config, [brief, f"agents.retired=[{leaver}]", "run.patience=39"])
    await drained_run(changed, 12, given=config)
    before = decided(tmp_path / "run")
    summary = await local_run(config)
    assert summary["run"]["finished"]
    saved = state(tmp_path / "run")
    assert saved["config"]["run"]["patience"] == 39
    assert "patience" in saved["given"]["run"], "as the next start needs it too"
    after = decided(tmp_path / "run")
    assert after[: len(before)] == before
    order = list(dict.fromkeys(row["seed_id"] for row in after))
    late = {row["pair"] for row in after if row["seed_id"] not in order[: 12 + 2 * config.run.admitted_seeds]}
    assert any(pair.endswith("+brief") for pair in late)
    assert not any(pair.endswith(f"+{leaver}") for pair in late)


async def test_a_changed_config_stays_in_later_saves(tmp_path: Path) -> None:
    config = config_for(tmp_path / "run", "seeds.limit=12", "run.checkpoint_s=0")
    changed = with_overrides(config, ["run.patience=39"])
    coordinators: list[Coordinator] = []

    class Changing(HeldWorker):
        async def run(self, *work: Any) -> list[Candidate]:
            if work[0].row == 5:
                await coordinators[0].change_config(changed)
            return await super().run(*work)

    await local_run(config, coordinators.append, workers=lambda make: Changing(make(), {}))
    saved = state(tmp_path / "run")
    assert saved["cursor"] == 12
    assert saved["config"]["run"]["patience"] == 39
    assert saved["given"]["run"]["patience"] is None


async def test_a_finished_run_returns_to_the_setting_of_its_command(tmp_path: Path) -> None:
    config = config_for(tmp_path / "run", "seeds.limit=3")

    async def words(config: Config, given: Config | None = None) -> int:
        await local_run(config, given=given)
        saved = RunDirectory(config.output.dir).state()
        manifest = read_manifest(tmp_path / "run")
        assert saved is not None
        assert is_of_state(manifest, tmp_path / "run")
        assert manifest["settings"]["filters"]["max_words"] == saved["config"]["filters"]["max_words"]
        return manifest["settings"]["filters"]["max_words"]

    before = config.filters.max_words
    assert await words(with_overrides(config, ["filters.max_words=40"]), given=config) == 40
    assert await words(config) == 40, "kept"
    assert await words(with_overrides(config, ["filters.max_words=50"])) == 50
    assert await words(config) == before


async def test_seeds_are_saved_before_servers_are_asked_for_facts(tmp_path: Path) -> None:
    saved: list[int] = []

    async def asked() -> dict[str, Any]:
        saved.append(state(tmp_path / "run")["cursor"])
        return {"servers": {"writer": ["slow"]}}

    def before(coordinator: Coordinator) -> None:
        coordinator.later_facts = asked  # type: ignore[method-assign]

    summary = await local_run(config_for(tmp_path / "run", "run.checkpoint_s=3600"), before)
    assert saved == [40]
    assert summary["run"]["servers"] == {"writer": ["slow"]}


async def test_failing_requests_are_retried_and_then_quarantined(tmp_path: Path) -> None:
    run_dir = tmp_path / "flaky"
    failing = ("models.writer.fake.failure_rate=0.4", "run.attempts=2", "run.max_error_rate=1")
    summary = await local_run(config_for(run_dir, *failing))
    rows = decided(run_dir)
    failed = [row["candidate_id"] for row in rows if row["failed_stage"]]
    assert 0 < len(failed) < len(rows)
    assert summary["run"]["retries"]["writer"] > len(failed), "some succeeded at the second try"
    quarantine = pq.read_table(run_dir / "quarantine.parquet").to_pylist()
    assert {row["id"] for row in quarantine} >= set(failed)
