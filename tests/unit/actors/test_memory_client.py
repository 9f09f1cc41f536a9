"""A run's use of its memory: a call outlasts the actor's restart; other failures end a run or are counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, ObjectLostError, RayTaskError

from actors import memory_client, restarts
from actors.memory import MemoryActor
from actors.memory_client import MemoryClient
from actors.metrics import RunMetrics
from actors.progress import Progress
from staragents.base.errors import RunFailed
from staragents.base.messages import Message
from staragents.base.records import Candidate, Seed
from staragents.config import MemoryConfig
from staragents.evolution.policy import Outcome, RecalledOutcomes
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.paths import FAKE
from tests.support.run_files import write_state

SEED = Seed("s0", 0, (Message("user", "Name a river in France."), Message("assistant", "The Loire.")))
ALIKE = Seed("s1", 1, (Message("user", "Name a short river in France."), Message("assistant", "The Var.")))
UNAVAILABLE = ActorUnavailableError("restarting", None)
EMBEDDER_FAILED = RayTaskError("commit_and_recall", "RuntimeError: no memory left", RuntimeError())
SERVER = "url=http://127.0.0.1:6333"


class Restarting:
    """A memory actor that fails its calls with `errors`, in order, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self._actor = MemoryActor(MemoryConfig(embedder="fake"), None, "", "run")
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: object) -> Any:
            self.calls += 1
            if self._errors:
                raise self._errors.pop(0)
            return await getattr(self._actor, name)(*arguments)

        return SimpleNamespace(remote=call)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "RESTART_POLL_S", 0.0)


def client(actor: Any, *overrides: str, run: str = "output.dir=run") -> MemoryClient:
    config = load_config(FAKE, [run, *(f"memory.{override}" for override in overrides)])
    return MemoryClient(config, actor, RunMetrics("run", enabled=False), Progress(total_seeds=2))


def numbered(order: int) -> Seed:
    return replace(SEED, seed_id=f"s{order}", row=order)


def winner(pair: str, reward: float) -> list[Outcome]:
    return [Outcome(pair, reward, True)]


async def test_calls_are_retried_until_the_actor_is_back() -> None:
    memory = client(Restarting(UNAVAILABLE, ObjectLostError("00ff", None, "")))
    found = await memory.commit_and_recall(1, SEED, winner("a+b", 0.5), ALIKE)
    assert found.pairs == ("a+b",)
    await client(Restarting(UNAVAILABLE)).rewind(0)


async def test_an_actor_that_is_gone_or_stays_unavailable_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = Restarting(ActorDiedError(None), ActorDiedError(None))
    with pytest.raises(ActorDiedError):
        await client(gone, SERVER).rewind(0)
    assert gone.calls == 1
    monkeypatch.setattr(restarts, "RESTART_TIMEOUT_S", -1.0)
    with pytest.raises(ActorUnavailableError):
        await client(Restarting(UNAVAILABLE, UNAVAILABLE), SERVER).rewind(0)
    with pytest.raises(RunFailed, match=r"the memory bank failed: .*restarting"):
        await client(Restarting(UNAVAILABLE, UNAVAILABLE)).rewind(0)


async def test_a_run_with_a_server_draws_without_memory_while_its_actor_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory = client(Restarting(ActorDiedError(None), EMBEDDER_FAILED), SERVER)
    for cursor in (1, 2):
        assert not await memory.commit_and_recall(cursor, numbered(cursor - 1), winner("a+b", 0.5), ALIKE)
    found = await memory.commit_and_recall(3, numbered(2), winner("a+b", 0.5), ALIKE)
    assert found.seed_ids == ("s2", "s1", "s0")
    assert memory._progress.memory_failures == 2
    said = [one for one in caplog.messages if "drawing without it" in one]
    assert len(said) == 1, "logged once"


async def test_what_could_not_be_sent_is_sent_with_the_next_call() -> None:
    actor = Restarting(ActorDiedError(None))
    memory = client(actor, SERVER)
    for cursor in (1, 2):
        await memory.commit_and_recall(cursor, numbered(cursor - 1), winner("a+b", 0.5), ALIKE)
    assert (await actor._actor.stats())["points"] == 2


async def test_winners_of_the_warm_up_are_sent_together() -> None:
    actor = Restarting()
    memory = client(actor, "keep=winners", "warmup=100")
    for cursor in range(1, 70):
        assert not await memory.commit_and_recall(cursor, numbered(cursor - 1), winner("a+b", 0.5), ALIKE)
    assert actor.calls == 1, "64 together, and 5 wait"
    await memory.flush()
    await memory.flush()
    assert actor.calls == 2
    assert (await actor._actor.stats())["points"] == 69


async def test_outcomes_are_recalled_from_the_first_seed_with_one_call_each() -> None:
    actor = Restarting()
    memory = client(actor, "warmup=100")
    assert not await memory.commit_and_recall(0, None, (), ALIKE)
    assert actor.calls == 0, "nothing is remembered yet"
    lost = [Outcome("a+b", 0.0, False)]
    for cursor in range(1, 6):
        assert len(await memory.commit_and_recall(cursor, numbered(cursor - 1), lost, ALIKE)) == cursor
    assert actor.calls == 5


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RayTaskError("commit_and_recall", "", RunFailed("the disk is full")), "^the disk is full$"),
        (EMBEDDER_FAILED, "^the memory bank failed: .*no memory left; run the same command to resume$"),
        (ActorDiedError(None), "^the memory bank failed: The actor died"),
    ],
)
async def test_a_local_bank_that_fails_ends_the_run(error: Exception, reason: str) -> None:
    with pytest.raises(RunFailed, match=reason):
        await client(Restarting(error)).commit_and_recall(1, SEED, winner("a+b", 0.5), ALIKE)


async def test_a_local_bank_that_hangs_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(memory_client, "GRACE_S", 0.0)
    monkeypatch.setattr(memory_client, "STATS_TIMEOUT_S", 0.1)
    silent = SimpleNamespace(remote=hang)
    memory = client(SimpleNamespace(commit_and_recall=silent, stats=silent), "timeout_s=0.1")
    with pytest.raises(RunFailed, match=r"the memory bank failed: no answer within 0\.1 s; run the same"):
        await memory.commit_and_recall(1, SEED, winner("a+b", 0.5), ALIKE)


async def test_a_run_waits_for_a_local_bank_whose_embedder_is_slow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A resume would have to embed the same texts again."""
    actor = MemoryActor(MemoryConfig(embedder="fake"), None, "", "run")
    late: list[asyncio.Event] = []

    async def commit_and_recall(*arguments: Any) -> Any:
        late.append(asyncio.Event())
        await late[-1].wait()
        return await actor.commit_and_recall(*arguments)

    asked = 0

    async def stats() -> Any:
        nonlocal asked
        asked += 1
        if asked == 3:
            late[-1].set()
        return await actor.stats()

    monkeypatch.setattr(memory_client, "GRACE_S", 0.0)
    calls = {"commit_and_recall": commit_and_recall, "stats": stats}
    slow = SimpleNamespace(**{name: SimpleNamespace(remote=call) for name, call in calls.items()})
    memory = client(slow, "timeout_s=0.1")
    found = await asyncio.wait_for(memory.commit_and_recall(1, SEED, winner("a+b", 0.5), ALIKE), 20)
    assert found.pairs == ("a+b",)
    assert sum("its actor works: waiting" in line for line in caplog.messages) == 1, "logged once"


async def test_a_resumed_run_says_once_that_its_bank_is_unavailable(caplog: pytest.LogCaptureFixture) -> None:
    memory = client(Restarting(*[EMBEDDER_FAILED] * 2), SERVER)
    memory._progress.restore({"memory_failures": 3, "remembered": 3})
    for cursor in (5, 6):
        await memory.commit_and_recall(cursor, numbered(cursor - 1), winner("a+b", 0.5), ALIKE)
    assert memory._progress.memory_failures == 5
    assert caplog.text.count("memory bank unavailable, drawing without it") == 1


async def test_a_run_with_a_server_does_not_wait_for_a_slow_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    async def stats() -> dict[str, Any]:
        return {}

    monkeypatch.setattr(memory_client, "GRACE_S", 0.0)
    slow = {"commit_and_recall": SimpleNamespace(remote=hang), "stats": SimpleNamespace(remote=stats)}
    memory = client(SimpleNamespace(**slow), "timeout_s=0.1", SERVER)
    answer = memory.commit_and_recall(1, SEED, winner("a+b", 0.5), ALIKE)
    assert not await asyncio.wait_for(answer, 20)
    assert memory._progress.memory_failures == 1


async def test_a_run_without_memory_recalls_nothing() -> None:
    memory = client(None)
    memory.embed([SEED])
    await memory.rewind(0)
    assert not await memory.commit_and_recall(1, SEED, winner("a+b", 0.5), ALIKE)


class Server:
    """A memory actor whose bank is on a server, as far as a resume needs it."""

    def __init__(self, known: int | None, room: int = 10**6) -> None:
        self.known_seeds, self.room = known, room
        self.stored: list[int] = []
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=getattr(self, f"_{name}"))

    async def _rewind(self, _: int) -> int | None:
        return self.known_seeds

    async def _known(self) -> int | None:
        self.asked += 1
        return self.known_seeds

    async def _commit_and_recall(self, commits: Any, _: object) -> RecalledOutcomes:
        self.stored += [one.order for one in commits]
        return RecalledOutcomes()

    async def _stats(self) -> dict[str, Any]:
        return {"queued": max(0, len(self.stored) - self.room), "available": False}


@pytest.fixture
def five_seeds(tmp_path: Path) -> str:
    """An override: output.dir of a run with five committed seeds."""
    run = RunDirectory(tmp_path / "run")
    run.candidates.mkdir(parents=True)
    rows = []
    for seed in map(numbered, range(5)):
        row = Candidate(seed.seed_id, f"c{seed.row}", "a+b", "a", "b", 0.5, seed.messages, seed.messages)
        row.reward, row.selected = 0.5, True
        rows.append(row)
    write_state(run.path, [run.write_shard("part-000000.parquet", rows)], len(rows))
    return f"output.dir={run.path}"


async def test_what_a_server_lacks_is_added_once_it_answers_and_up_to_the_resumed_seed(
    five_seeds: str,
) -> None:
    server = Server(None)
    memory = client(server, SERVER, run=five_seeds)
    await memory.rewind(4)
    for cursor in (5, 6):
        await memory.commit_and_recall(cursor, numbered(cursor - 1), winner("a+b", 0.5), ALIKE)
    assert (server.stored, server.asked) == ([4, 5], 2)
    server.known_seeds = 1
    for cursor in (7, 8):
        await memory.commit_and_recall(cursor, numbered(cursor - 1), winner("a+b", 0.5), ALIKE)
    assert (server.stored, server.asked) == ([4, 5, 1, 2, 3, 6, 7], 3)


async def test_a_server_that_fails_while_it_is_filled_gets_the_rest_later(
    five_seeds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_client, "REFILL", 2)
    server = Server(0, room=0)
    memory = client(server, SERVER, run=five_seeds)
    await memory.rewind(5)
    assert server.stored == [0, 1, 2, 3], "more than two wait"
    server.known_seeds, server.room = 4, 10**6
    await memory.commit_and_recall(6, numbered(5), winner("a+b", 0.5), ALIKE)
    await memory.commit_and_recall(7, numbered(6), winner("a+b", 0.5), ALIKE)
    assert (server.stored, server.asked) == ([0, 1, 2, 3, 4, 5, 6], 1)


async def test_a_server_that_knows_every_seed_gets_none(five_seeds: str) -> None:
    server = Server(5)
    await client(server, SERVER, run=five_seeds).rewind(5)
    assert server.stored == []
