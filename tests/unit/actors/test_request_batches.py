"""Requests that share calls to a pool: which calls are made, and what each request gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from actors import request_batches
from actors.failure import Failure
from actors.generator import Generator
from actors.generator_client import GeneratorClient, fixed_size
from actors.request_batches import LARGEST, RequestBatches
from actors.request_messages import Answer, pack_answers, unpack_requests
from staragents.base.errors import EngineError
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import EngineKind, ModelConfig


def request(name: str) -> GenerationRequest:
    return GenerationRequest(name, Sampling(), seed=7, messages=(Message("user", name),))


def said(name: str) -> Generation:
    return Generation(f"to {name}", "stop", tokens_in=3, tokens_out=2, seconds=0.0)


class Engine:
    """Answers a request when told to, by name."""

    def __init__(self) -> None:
        self.gates: dict[str, asyncio.Event] = {}
        self.cancelled: list[str] = []
        self.errors: dict[str, Exception] = {}

    async def generate(self, asked: GenerationRequest) -> Generation:
        try:
            await self.gates.setdefault(asked.request_id, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.append(asked.request_id)
            raise
        if error := self.errors.get(asked.request_id):
            raise error
        return said(asked.request_id)

    def finish(self, *names: str) -> None:
        for name in names:
            self.gates.setdefault(name, asyncio.Event()).set()


class Stream:
    """What a call of Serve returns: an iterator that can be cancelled."""

    def __init__(self, answers: AsyncIterator[bytes]) -> None:
        self._answers = answers
        self._closing: asyncio.Future[None] | None = None
        self._next: asyncio.Future[bytes] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._answers)

    def cancel(self) -> None:
        self._closing = asyncio.ensure_future(self._answers.aclose())  # type: ignore[attr-defined]


class Calls:
    """A pool of one replica; records the requests of each call."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.replica = Generator(ModelConfig(kind=EngineKind.fake), "")
        self.replica.engine = self.engine  # type: ignore[assignment]
        self.made: list[list[str]] = []
        self.one = _Call(self._one)
        self.many = _Call(self._many)

    def pool(self, replicas: int | None = 1) -> RequestBatches:
        return RequestBatches(self.one, self.many, replicas)  # type: ignore[arg-type]

    async def _one(self, asked: GenerationRequest) -> Answer:
        self.made.append([asked.request_id])
        return await self.replica.generate(asked)

    def _many(self, packed: bytes) -> Stream:
        self.made.append([asked.request_id for asked in unpack_requests(packed)])
        return Stream(self.replica.generate_many(packed))


class _Call:
    def __init__(self, remote: Callable[..., object]) -> None:
        self.remote = remote


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_batches, "BATCH_DELAY_S", 0.0)


async def turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_requests_of_one_moment_share_a_call_and_each_gets_its_own_answer() -> None:
    calls = Calls()
    pool = calls.pool()
    names = [f"r{number}" for number in range(5)]
    calls.engine.finish(*names)
    answers = await asyncio.gather(*(pool.remote(request(name)) for name in names))
    assert answers == [said(name) for name in names]
    assert calls.made == [names]


async def test_a_slow_request_holds_back_no_other() -> None:
    calls = Calls()
    pool = calls.pool()
    slow, quick, next_one = (pool.remote(request(name)) for name in ("slow", "quick", "next"))
    calls.engine.finish("quick")
    assert await asyncio.wait_for(quick, 5) == said("quick")
    assert not slow.done()
    calls.engine.finish("next")
    assert await asyncio.wait_for(next_one, 5) == said("next")
    calls.engine.finish("slow")
    assert await asyncio.wait_for(slow, 5) == said("slow")
    assert len(calls.made) == 1


async def test_a_failed_request_fails_alone() -> None:
    calls = Calls()
    pool = calls.pool()
    calls.engine.errors = {"refused": EngineError("not this one"), "bug": KeyError("x")}
    calls.engine.finish("refused", "bug", "fine")
    refused, bug, fine = await asyncio.gather(
        *(pool.remote(request(name)) for name in ("refused", "bug", "fine"))
    )
    assert (refused, fine) == (Failure("EngineError", "not this one", True), said("fine"))
    assert isinstance(bug, Failure)
    assert (bug.error_class, bug.retryable) == ("KeyError", True)


async def test_a_lost_call_fails_only_what_was_not_answered() -> None:
    class Lost(Exception):
        pass

    async def answers() -> AsyncIterator[bytes]:
        yield pack_answers([(1, said("b"))])
        raise Lost

    pool = RequestBatches(Calls().one, _Call(lambda packed: Stream(answers())), 1)  # type: ignore[arg-type]
    asked = [pool.remote(request(name)) for name in "abc"]
    first, second, third = await asyncio.gather(*asked, return_exceptions=True)
    assert second == said("b")
    assert isinstance(first, Lost)
    assert isinstance(third, Lost)


async def test_a_call_that_ends_early_leaves_nobody_waiting() -> None:
    async def answers() -> AsyncIterator[bytes]:
        yield pack_answers([(0, said("a"))])

    pool = RequestBatches(Calls().one, _Call(lambda packed: Stream(answers())), 1)  # type: ignore[arg-type]
    first, second = await asyncio.gather(*(pool.remote(request(name)) for name in "ab"))
    assert first == said("a")
    assert isinstance(second, Failure)
    assert second.retryable


async def test_requests_that_are_cancelled_before_the_call_make_none() -> None:
    calls, problems = Calls(), []
    pool = calls.pool()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    for asked in [pool.remote(request(name)) for name in ("a", "b")]:
        asked.cancel()
    await asyncio.sleep(2 * request_batches.BATCH_DELAY_S)
    assert (calls.made, problems) == ([], [])


async def test_a_call_is_cancelled_when_nobody_waits_for_it_and_not_before() -> None:
    calls = Calls()
    pool = calls.pool()
    first, second = (pool.remote(request(name)) for name in ("a", "b"))
    await turns()
    first.cancel()
    await turns()
    assert calls.engine.cancelled == []
    second.cancel()
    await turns()
    assert sorted(calls.engine.cancelled) == ["a", "b"]


async def test_a_request_cancelled_before_the_call_is_not_sent() -> None:
    calls = Calls()
    pool = calls.pool()
    asked = {name: pool.remote(request(name)) for name in "abc"}
    asked["b"].cancel()
    calls.engine.finish("a", "c")
    assert await asyncio.gather(asked["a"], asked["c"]) == [said("a"), said("c")]
    assert calls.made == [["a", "c"]]


async def test_requests_are_split_over_replicas_and_a_call_is_bounded() -> None:
    for replicas, sizes in ((1, [LARGEST, LARGEST, 6]), (4, [18, 18, 18, 16]), (100, [1] * 70)):
        calls = Calls()
        pool = calls.pool(replicas)
        names = [f"r{number}" for number in range(70)]
        calls.engine.finish(*names)
        await asyncio.gather(*(pool.remote(request(name)) for name in names))
        assert [len(call) for call in calls.made] == sizes


async def test_each_request_of_a_pool_that_follows_the_load_is_a_call() -> None:
    """Its autoscaler counts calls."""
    calls = Calls()
    client = GeneratorClient({"m": calls.pool()}, {"m": 9}, attempts=1)
    calls.engine.finish(*(f"r{number}-0" for number in range(6)))
    client.resize("m", 9, fixed_size(1, 3))
    await asyncio.gather(*(client.generate("m", request(f"r{number}")) for number in range(3)))
    client.resize("m", 9, fixed_size(1, 1))
    await asyncio.gather(*(client.generate("m", request(f"r{number}")) for number in range(3, 6)))
    assert sorted(map(len, calls.made)) == [1, 1, 1, 3]
    assert fixed_size(0, 0) is None
