"""Whatever a server sends, only one request fails, in time and with a line that says why."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from actors import generator_client
from actors.engines.openai_engine import OpenAIEngine
from staragents.base.errors import EngineError
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import EngineKind, ModelConfig
from tests.support.hostile_run import HostileRun
from tests.support.hostile_server import HostileServer
from tests.support.oddities import MIB, ODDITIES, redirect
from tests.support.oddities import Oddity as Odd

KEY = "sk-this-key-must-never-be-seen"
VERDICT = {"type": "object", "properties": {"verdict": {"enum": ["A", "B", "tie"]}}}
DEADLINE_S = 5.0
LONGEST_BLOCK_S = 0.5
MOST_MEMORY = 8 * MIB


def request(deadline_s: float = DEADLINE_S, verdict: bool = True) -> GenerationRequest:
    return GenerationRequest(
        "r-0",
        Sampling(max_tokens=64),
        seed=11,
        messages=(Message("user", "Name a river."),),
        json_schema=VERDICT if verdict else None,
        top_logprobs=5 if verdict else 0,
        deadline_s=deadline_s,
    )


@asynccontextmanager
async def asked(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[HostileServer, OpenAIEngine]]:
    """A server that answers with the named oddity, and an engine that sends it a key."""
    monkeypatch.setenv("TEST_API_KEY", KEY)
    async with HostileServer(lambda: name) as server:
        model = ModelConfig(
            kind=EngineKind.openai, model="m", base_url=server.url, api_key_env="TEST_API_KEY"
        )
        engine = OpenAIEngine(model)
        yield server, engine
        await engine.stop()


class Blocks:
    """The longest time that the event loop's thread computed without yielding.

    CPU time, so that other processes don't count.
    """

    longest = 0.0

    async def __aenter__(self) -> Blocks:
        self._before = time.thread_time()
        self._task = asyncio.ensure_future(self._watch())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *error: object) -> None:
        """What was computed since the last await counts too: an answer is parsed there."""
        self._measure()
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(0.005)
            self._measure()

    def _measure(self) -> None:
        now = time.thread_time()
        self.longest, self._before = max(self.longest, now - self._before), now


class Memory:
    """The most memory in bytes that was allocated at once, the server's buffers included."""

    peak = 0

    async def __aenter__(self) -> Memory:
        tracemalloc.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


@pytest.mark.parametrize("name", ODDITIES)
async def test_an_oddity_fails_one_request_in_time_with_the_reason(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    oddity = ODDITIES[name]
    deadline_s = 0.4 if oddity.outlasts else DEADLINE_S
    error: EngineError | None = None
    started = time.monotonic()
    async with asked(name, monkeypatch) as (_, engine), Blocks() as blocks, Memory() as memory:
        try:
            answer = await engine.generate(request(deadline_s))
        except EngineError as raised:
            error = raised
    assert time.monotonic() - started < deadline_s + 1
    assert blocks.longest < LONGEST_BLOCK_S
    assert memory.peak < MOST_MEMORY
    if oddity.error is None:
        assert error is None
        assert_usable(answer)
        return
    assert error is not None
    line = str(error)
    assert oddity.error in line
    assert error.retryable is oddity.retryable
    assert line.startswith("http://127.0.0.1:")
    assert line.isprintable()
    assert len(line) < 400
    assert KEY not in line


def assert_usable(answer: Generation) -> None:
    answer.text.encode("utf-8")
    assert "\x00" not in answer.text
    assert 0 <= answer.tokens_in < 1000
    assert 0 <= answer.tokens_out < 1000
    assert all(-1e308 <= p <= 0 or p == float("-inf") for t in answer.logprobs for p in t.top.values())


async def test_a_redirect_takes_neither_request_nor_key_to_another_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with HostileServer() as other:
        elsewhere = Odd("redirect", redirect(f"{other.url}/chat/completions"), None)
        monkeypatch.setitem(ODDITIES, "redirect to a trap", elsewhere)
        async with asked("redirect to a trap", monkeypatch) as (server, engine):
            with pytest.raises(EngineError, match=f"redirect .307. to {other.url}"):
                await engine.generate(request())
        assert [received.authorization for received in server.received] == [f"Bearer {KEY}"]
        assert other.received == []


async def test_after_an_oddity_the_next_request_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data left on a connection must not be read as the next answer."""
    for name in ("a length too small", "40 MB for 64 tokens", "a gzip bomb", "status 500"):
        async with asked(name, monkeypatch) as (server, engine):
            with pytest.raises(EngineError):
                await engine.generate(request())
            server.choose = lambda: ""
            assert (await engine.generate(request(verdict=False))).text.startswith("[fake]")


@pytest.mark.slow
async def test_a_run_finishes_with_every_seed_and_a_reason_for_every_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator_client, "backoff", lambda request_id, attempt: 0.0)
    hostile = HostileRun(tmp_path / "run", seeds=12)
    summary = await hostile.run()
    assert summary["run"]["finished"]
    assert hostile.problems == []
    assert hostile.failed
    assert len(hostile.encounters) > 30
