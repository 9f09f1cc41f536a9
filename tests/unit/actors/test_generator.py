"""A replica whose engine dies, hangs or refuses; the engine is a stand-in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest

from actors import generator as generator_module
from actors.failure import Failure
from actors.generator import EXIT_DELAY_S, Generator
from actors.generator_client import backoff
from staragents.base.errors import EngineDead, EngineError, PromptTooLong
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.config import EngineKind, ModelConfig

ANSWER = Generation("yes", "stop", tokens_in=3, tokens_out=1, seconds=0.0)
REQUEST = GenerationRequest("r-0", Sampling(), seed=7, prompt="Well?")


class Scripted:
    """An engine that answers from a function."""

    def __init__(self, answer: Callable[[], Awaitable[Generation]]) -> None:
        self.running = self.most = 0
        self._answer = answer

    async def check(self) -> None: ...

    async def generate(self, request: GenerationRequest) -> Generation:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await self._answer()
        finally:
            self.running -= 1


def replica(answer: Callable[[], Awaitable[Generation]], **settings: object) -> tuple[Generator, Scripted]:
    generator = Generator(ModelConfig(kind=EngineKind.fake, **settings), "")  # type: ignore[arg-type]
    engine = Scripted(answer)
    generator.engine = engine  # type: ignore[assignment]
    return generator, engine


def failing(error: Exception) -> Callable[[], Awaitable[Generation]]:
    async def answer() -> Generation:
        raise error

    return answer


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


async def test_a_dead_engine_takes_its_replica_with_it_before_the_first_retry(exits: list[int]) -> None:
    generator, _ = replica(failing(EngineDead("the engine died")))
    assert await generator.generate(REQUEST) == Failure("EngineDead", "the engine died", retryable=True)
    assert exits == [], "the answer has time to leave"
    soonest = min(backoff(f"r{number}", 1) for number in range(1000))
    assert soonest > EXIT_DELAY_S
    await asyncio.sleep(soonest)
    assert exits == [1]


async def test_a_request_after_the_engine_died_is_not_failed_again(exits: list[int]) -> None:
    """It would use up its attempts on a replica that is about to exit."""
    generator, _ = replica(failing(EngineDead("the engine died")))
    await generator.generate(REQUEST)
    late = asyncio.ensure_future(generator.generate(REQUEST))
    await asyncio.sleep(0.05)
    assert not late.done()
    late.cancel()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EngineError("no answer within 3 s"), Failure("EngineError", "no answer within 3 s", retryable=True)),
        (PromptTooLong("no room"), Failure("PromptTooLong", "no room", retryable=False)),
    ],
)
async def test_an_engine_that_fails_one_request_keeps_running(
    exits: list[int], error: EngineError, expected: Failure
) -> None:
    generator, _ = replica(failing(error))
    assert await generator.generate(REQUEST) == expected
    await generator.check_health()
    await asyncio.sleep(1.5 * EXIT_DELAY_S)
    assert exits == []


async def test_a_stalled_engine_is_unhealthy_and_an_idle_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """vllm#53157, ray#61263: its health check answers."""
    now = 1000.0
    monkeypatch.setattr(generator_module.time, "monotonic", lambda: now)
    hanging = asyncio.Event()

    async def answer() -> Generation:
        await hanging.wait()
        return ANSWER

    generator, _ = replica(answer, silence_s=60.0)
    now += 3600
    await generator.check_health()  # idle for an hour

    running = [asyncio.ensure_future(generator.generate(REQUEST)) for _ in range(2)]
    await asyncio.sleep(0)
    now += 59
    await generator.check_health()
    now += 2
    with pytest.raises(EngineDead, match="2 requests running and none finished for 61 s"):
        await generator.check_health()

    hanging.set()
    assert await asyncio.gather(*running) == [ANSWER, ANSWER]
    await generator.check_health()


async def test_the_engine_holds_at_most_its_limit() -> None:
    async def answer() -> Generation:
        await asyncio.sleep(0.01)
        return ANSWER

    generator, engine = replica(answer, max_num_seqs=4)
    answers = await asyncio.gather(*(generator.generate(REQUEST) for _ in range(40)))
    assert answers == [ANSWER] * 40
    assert engine.most == generator.config.max_ongoing
