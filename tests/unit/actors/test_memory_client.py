"""A run's use of its memory: a call outlasts the actor's restart, and a run outlasts its actor."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError

from actors import restarts
from actors.memory import MemoryActor
from actors.memory_client import MemoryClient
from actors.metrics import RunMetrics
from actors.progress import Progress
from staragents.base.errors import RunFailed
from staragents.base.messages import Message
from staragents.base.records import Seed
from staragents.config import MemoryConfig
from staragents.evolution.policy import Outcome
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

SEED = Seed("s0", 0, (Message("user", "Name a river in France."), Message("assistant", "The Loire.")))
ALIKE = Seed("s1", 1, (Message("user", "Name a short river in France."), Message("assistant", "The Var.")))
UNAVAILABLE = ActorUnavailableError("restarting", None)


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


def client(actor: Any, timeout_s: float = 2) -> MemoryClient:
    config = load_config(FAKE, ["memory.warmup=0", f"memory.timeout_s={timeout_s}"])
    return MemoryClient(config, actor, RunMetrics("run", enabled=False), Progress(total_seeds=2))


def winner(pair: str, reward: float) -> list[Outcome]:
    return [Outcome(pair, reward, True)]


async def test_calls_are_retried_until_the_actor_is_back() -> None:
    memory = client(Restarting(UNAVAILABLE, UNAVAILABLE))
    found = await memory.commit_and_recall(1, SEED, winner("a+b", 0.5), ALIKE)
    assert found.pairs == ("a+b",)
    await client(Restarting(UNAVAILABLE)).rewind(0)


async def test_an_actor_that_is_gone_or_stays_unavailable_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = Restarting(ActorDiedError(None), ActorDiedError(None))
    with pytest.raises(ActorDiedError):
        await client(gone).rewind(0)
    assert gone.calls == 1
    monkeypatch.setattr(restarts, "RESTART_TIMEOUT_S", -1.0)
    with pytest.raises(ActorUnavailableError):
        await client(Restarting(UNAVAILABLE, UNAVAILABLE)).rewind(0)


async def test_a_run_draws_without_memory_while_its_actor_fails(caplog: pytest.LogCaptureFixture) -> None:
    memory = client(Restarting(ActorDiedError(None), ActorDiedError(None)))
    for cursor in (1, 2):
        assert not await memory.commit_and_recall(cursor, SEED, winner("a+b", 0.5), ALIKE)
    found = await memory.commit_and_recall(3, SEED, winner("a+b", 0.5), ALIKE)
    assert found.pairs == ("a+b",)
    assert memory._progress.memory_failures == 2
    said = [one for one in caplog.messages if "drawing without it" in one]
    assert len(said) == 1, "logged once"


async def test_a_local_bank_that_fails_ends_the_run() -> None:
    broken = RayTaskError("commit_and_recall", "", RunFailed("the memory bank failed"))
    with pytest.raises(RunFailed, match="the memory bank failed"):
        await client(Restarting(broken)).commit_and_recall(1, SEED, winner("a+b", 0.5), ALIKE)


async def test_a_run_without_memory_recalls_nothing() -> None:
    memory = client(None)
    memory.embed([SEED])
    await memory.rewind(0)
    assert not await memory.commit_and_recall(1, SEED, winner("a+b", 0.5), ALIKE)
