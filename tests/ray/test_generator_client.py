"""Retries, in-flight limits and timeouts of the client of a model pool; the pool is a fake."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from ray.exceptions import RayActorError

from actors import generator_client
from actors.failure import Failure
from actors.generator_client import GeneratorClient, backoff
from staragents.base.errors import EngineError, PromptTooLong
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Message

ANSWER = Generation("yes", "stop", tokens_in=3, tokens_out=1, seconds=0.0)


class Pool:
    """Answers from a script and records its requests."""

    def __init__(self, answer: Callable[[GenerationRequest], Awaitable[Generation | Failure]]) -> None:
        self._answer = answer
        self.asked: list[GenerationRequest] = []

    def remote(self, request: GenerationRequest) -> Awaitable[Generation | Failure]:
        self.asked.append(request)
        return self._answer(request)


def request(number: int = 0, deadline_s: float = 5.0) -> GenerationRequest:
    return GenerationRequest(
        f"r{number}", Sampling(), seed=7, messages=(Message("user", "Well?"),), deadline_s=deadline_s
    )


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_client, "backoff", lambda request_id, attempt: 0.0)


async def test_a_retry_repeats_the_seed_under_another_id() -> None:
    async def second_time(asked: GenerationRequest) -> Generation | Failure:
        return ANSWER if asked.request_id.endswith("-1") else Failure("EngineError", "not yet", True)

    pool = Pool(second_time)
    client = GeneratorClient({"m": pool}, {"m": 4}, attempts=3)
    assert await client.generate("m", request()) == ANSWER
    assert [asked.request_id for asked in pool.asked] == ["r0-0", "r0-1"]
    assert {asked.seed for asked in pool.asked} == {7}
    assert (client.counters["m"].retries, client.counters["m"].failures) == (1, 0)


async def test_a_dead_replica_is_retried_and_given_up_after_the_last_attempt() -> None:
    async def dead(asked: GenerationRequest) -> Generation | Failure:
        raise RayActorError

    pool = Pool(dead)
    client = GeneratorClient({"m": pool}, {"m": 4}, attempts=3)
    with pytest.raises(EngineError, match="m: "):
        await client.generate("m", request())
    assert len(pool.asked) == 3
    assert client.counters["m"].running == 0


async def test_a_request_that_cannot_succeed_is_not_retried() -> None:
    async def too_long(asked: GenerationRequest) -> Generation | Failure:
        return Failure("PromptTooLong", "no room", retryable=False)

    pool = Pool(too_long)
    with pytest.raises(PromptTooLong):
        await GeneratorClient({"m": pool}, {"m": 4}, attempts=3).generate("m", request())
    assert len(pool.asked) == 1


async def test_a_silent_pool_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_client, "GRACE_S", 0.0)

    async def silent(asked: GenerationRequest) -> Generation | Failure:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(EngineError, match="no answer within"):
        await GeneratorClient({"m": Pool(silent)}, {"m": 1}, attempts=2).generate(
            "m", request(deadline_s=0.01)
        )


async def test_requests_in_flight_stay_within_the_limit() -> None:
    out, most = 0, 0

    async def slowly(asked: GenerationRequest) -> Generation | Failure:
        nonlocal out, most
        out += 1
        most = max(most, out)
        await asyncio.sleep(0.001)
        out -= 1
        return ANSWER

    client = GeneratorClient({"m": Pool(slowly)}, {"m": 3}, attempts=1)
    await asyncio.gather(*(client.generate("m", request(i)) for i in range(20)))
    assert most == 3
    assert client.counters["m"].tokens_out == 20


def test_waits_grow_spread_and_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = [backoff("r", attempt) for attempt in range(1, 12)]
    assert all(0.25 <= wait <= 12.0 for wait in waits)
    assert backoff("r", 1) < backoff("r", 6)
    assert backoff("r", 3) == backoff("r", 3) != backoff("other", 3)
