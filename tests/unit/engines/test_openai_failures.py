"""What becomes of requests that a server does not answer."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate

import pytest
from aiohttp import web

from actors.engines import openai_engine
from actors.engines.openai_engine import OpenAIEngine
from staragents.base.errors import EngineDead, PromptTooLong
from tests.support.peer_server import Peer, chat_body, config, failure, request


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_server_error_is_retryable(peer: Peer, engine: OpenAIEngine, status: int) -> None:
    peer.refuses(status)
    error = await failure(engine)
    assert error.retryable
    assert len(peer.asked) == 1  # retries belong to the coordinator


@pytest.mark.parametrize("error", ["{}", '{{"message": {}}}', '{{"detail": [{}]}}'])
async def test_an_error_nested_too_deeply_fails_one_request(
    error: str, peer: Peer, engine: OpenAIEngine
) -> None:
    body = f'{{"error": {error.format("[" * 950 + "]" * 950)}}}'
    peer.reply = lambda _: web.Response(text=body, status=400, content_type="application/json")
    await failure(engine)


async def test_a_closed_port_is_retryable(unused_tcp_port: int) -> None:
    error = await failure(OpenAIEngine(config(f"http://127.0.0.1:{unused_tcp_port}/v1")))
    assert error.retryable
    assert f"127.0.0.1:{unused_tcp_port}" in str(error)


async def test_a_broken_connection_is_retryable(peer: Peer, engine: OpenAIEngine) -> None:
    async def hang_up(asked: web.Request) -> web.Response:
        assert asked.transport is not None
        asked.transport.abort()
        return web.Response()

    peer.reply = hang_up
    assert (await failure(engine)).retryable


async def test_a_server_that_hangs_or_trickles_times_out(peer: Peer, engine: OpenAIEngine) -> None:
    async def trickle(asked: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(asked)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    peer.reply = lambda _: asyncio.sleep(60)
    assert "no answer within 0.3 s" in str(await failure(engine, deadline_s=0.3))
    peer.reply = trickle
    assert "no answer within 0.3 s" in str(await failure(engine, deadline_s=0.3))


@pytest.mark.parametrize(
    "body",
    [
        "{not json",
        "",
        "null",
        "[]",
        '{"choices": []}',
        '{"choices": null}',
        '{"choices": [{"finish_reason": "stop"}]}',
        '{"choices": [{"finish_reason": "stop", "message": {"content": [7]}}]}',
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
async def test_an_unreadable_answer_is_retryable(
    peer: Peer, engine: OpenAIEngine, body: str, content_type: str
) -> None:
    peer.reply = lambda _: web.Response(text=body, content_type=content_type)
    assert (await failure(engine)).retryable


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, "rejects the key in TEST_API_KEY"), (403, "rejects the key"), (404, "does not serve 'm'")],
)
async def test_a_server_that_refuses_access_fails_a_request_and_a_start(
    peer: Peer, engine: OpenAIEngine, status: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During a run a gateway may do so occasionally: that does not make the engine dead."""
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    peer.refuses(status)
    error = await failure(engine)
    assert error.retryable
    assert expected in str(error)
    with pytest.raises(EngineDead, match=expected):
        await engine.start()


async def test_a_prompt_beyond_the_context_is_not_retried(peer: Peer, engine: OpenAIEngine) -> None:
    peer.refuses(400, "This model's maximum context length is 1024 tokens, you asked for 5000")
    error = await failure(engine)
    assert isinstance(error, PromptTooLong)


async def test_a_request_that_the_server_rejects_is_not_retried(peer: Peer, engine: OpenAIEngine) -> None:
    peer.refuses(422, "top_logprobs must be at most 5")
    error = await failure(engine)
    assert not error.retryable
    assert "at most 5" in str(error)


async def test_after_429_no_request_leaves_before_the_server_allows_it(
    peer: Peer, engine: OpenAIEngine
) -> None:
    peer.refuses(429, headers={"Retry-After": "30"})
    assert "pausing 30 s" in str(await failure(engine, deadline_s=60.0))
    assert "no answer within" in str(await failure(engine, deadline_s=0.2))
    assert len(peer.asked) == 1


async def test_a_server_that_wants_a_longer_pause_than_the_deadline_fails_one_request_and_not_all(
    peer: Peer, engine: OpenAIEngine
) -> None:
    peer.refuses(429, headers={"Retry-After": "3600"})
    assert "pausing 0.2 s" in str(await failure(engine, deadline_s=0.4))
    peer.reply = lambda _: web.json_response(chat_body())
    assert (await engine.generate(request(deadline_s=2.0))).text == "The Loire."


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("7", "pausing 7 s"),
        ("0.5", "pausing 0.5 s"),
        ("inf", "pausing 60 s"),
        pytest.param(formatdate(time.time() + 3600), "pausing 60 s", id="a date in an hour"),
        ("-1", ""),
        ("nan", ""),
        ("Wed, 21 Oct 2015 07:28:00 GMT", ""),
    ],
)
async def test_odd_retry_after_values_are_bounded(
    peer: Peer, engine: OpenAIEngine, status: int, header: str, pause: str
) -> None:
    peer.refuses(status, headers={"Retry-After": header})
    line = str(await failure(engine, deadline_s=600.0))
    assert pause in line
    assert ("pausing" in line) is bool(pause)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "content_filter", "message": "The response was filtered"},
        {"message": "Content Exists Risk", "type": "invalid_request_error"},
    ],
)
async def test_a_filtered_prompt_is_a_generation_and_no_failure(
    peer: Peer, engine: OpenAIEngine, error: dict[str, str]
) -> None:
    """It is rejected with a reason of its own, and never asked again."""
    peer.reply = lambda _: web.json_response({"error": error}, status=400)
    answer = await engine.generate(request())
    assert (answer.text, answer.finish_reason, answer.tokens_out) == ("", "content_filter", 0)
    assert len(peer.asked) == 1


@pytest.mark.parametrize("reason", ["content_filter", "SAFETY", "refusal", "content_filter: violence"])
async def test_a_filtered_answer_keeps_what_was_written(
    peer: Peer, engine: OpenAIEngine, reason: str
) -> None:
    peer.reply = lambda _: web.json_response(chat_body(finish_reason=reason))
    answer = await engine.generate(request())
    assert (answer.text, answer.finish_reason) == ("The Loire.", "content_filter")


async def test_a_request_refused_for_its_text_asks_the_probes_again_a_few_times_only(
    peer: Peer, engine: OpenAIEngine
) -> None:
    await engine.start()
    peer.reply = lambda _: (
        web.json_response(chat_body())
        if peer.asked[-1]["max_tokens"] == 1
        else web.json_response({"error": {"message": "I do not like it."}}, status=400)
    )
    for _ in range(6):
        assert not (await failure(engine)).retryable
    assert len(peer.asked) == 1 + 6 + 3
