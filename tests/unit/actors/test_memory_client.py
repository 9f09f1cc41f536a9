"""The way to the memory actor: a call outlasts the actor's restart, and not for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError

from actors import restarts
from actors.memory import MemoryActor
from actors.memory_client import MemoryClient
from staragents.base.messages import Message
from staragents.base.records import Seed
from staragents.config import MemoryConfig

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


async def test_calls_are_retried_until_the_actor_is_back() -> None:
    client = MemoryClient(Restarting(UNAVAILABLE, UNAVAILABLE), timeout_s=2)
    commit = (0, (SEED.seed_id, SEED.instruction), "a+b", 0.5)
    assert [n.pair for n in await client.commit_and_recall([commit], ALIKE)] == ["a+b"]
    client = MemoryClient(Restarting(UNAVAILABLE), timeout_s=2)
    await client.rewind(-1)


async def test_an_actor_that_is_gone_or_stays_unavailable_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = Restarting(ActorDiedError(None), ActorDiedError(None))
    with pytest.raises(ActorDiedError):
        await MemoryClient(gone, timeout_s=2).commit_and_recall([], SEED)
    assert gone.calls == 1
    monkeypatch.setattr(restarts, "RESTART_TIMEOUT_S", -1.0)
    with pytest.raises(ActorUnavailableError):
        await MemoryClient(Restarting(UNAVAILABLE, UNAVAILABLE), timeout_s=2).commit_and_recall([], SEED)
