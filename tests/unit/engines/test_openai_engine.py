"""The engine for OpenAI-compatible servers against a loopback server, healthy and hostile."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer as LoopbackServer

from actors.engines import openai_engine
from actors.engines.openai_answers import most_bytes
from actors.engines.openai_engine import OpenAIEngine
from staragents.base.errors import EngineDead, EngineError, PromptTooLong
from staragents.base.generation import Generation, GenerationRequest, Sampling, TokenLogprobs
from staragents.base.messages import Message
from staragents.config import EngineKind, ModelConfig

KEY = "sk-this-key-must-never-be-seen"
SCHEMA = {"type": "object", "properties": {"verdict": {"enum": ["A", "B"]}}}
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}

Reply = Callable[[web.Request], Any]


def chat_body(**choice: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "The Loire."}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, **choice}],
        "usage": USAGE,
    }


class Peer:
    """Answers every request with `reply` and records the requests."""

    def __init__(self) -> None:
        self.reply: Reply = lambda _: web.json_response(chat_body())
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.authorization: list[str | None] = []
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = LoopbackServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/v1"))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.paths.append(request.path)
        self.authorization.append(request.headers.get("Authorization"))
        reply = self.reply(request)
        return await reply if asyncio.iscoroutine(reply) else reply

    def refuses(self, status: int, message: str = "no", headers: dict[str, str] | None = None) -> None:
        body = {"error": {"message": message, "type": "error", "code": None}}
        self.reply = lambda _: web.json_response(body, status=status, headers=headers)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    served = Peer()
    await served.server.start_server()
    yield served
    await served.server.close()


@pytest.fixture
async def engine(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenAIEngine]:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    started = OpenAIEngine(config(peer.url))
    yield started
    await started.stop()


def config(url: str, **more: Any) -> ModelConfig:
    return ModelConfig(kind=EngineKind.openai, model="m", base_url=url, api_key_env="TEST_API_KEY", **more)


def request(**more: Any) -> GenerationRequest:
    values: dict[str, Any] = {"sampling": Sampling(0.5, 0.9, 64, ("END",)), "deadline_s": 5.0, **more}
    if "prompt" not in values:
        values["messages"] = (Message("system", "Be brief."), Message("user", "Name a river."))
    return GenerationRequest("r-0", seed=11, **values)


async def failure(engine: OpenAIEngine, **more: Any) -> EngineError:
    with pytest.raises(EngineError) as caught:
        await engine.generate(request(**more))
    return caught.value


async def test_a_chat_request_carries_all_settings(peer: Peer, engine: OpenAIEngine) -> None:
    generation = await engine.generate(request(json_schema=SCHEMA, top_logprobs=20))
    assert peer.paths == ["/v1/chat/completions"]
    assert peer.authorization == [f"Bearer {KEY}"]
    assert peer.asked == [
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Name a river."},
            ],
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 64,
            "seed": 11,
            "stop": ["END"],
            "logprobs": True,
            "top_logprobs": 20,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
            },
        }
    ]
    assert generation == Generation("The Loire.", "stop", 7, 2, generation.seconds)
    assert generation.seconds > 0


async def test_a_raw_prompt_goes_to_completions(peer: Peer, engine: OpenAIEngine) -> None:
    logprobs = {
        "tokens": [" Lo", "ire"],
        "token_logprobs": [-0.5, -0.1],
        "top_logprobs": [{" Lo": -0.5, " Se": -1.0}, None],
    }
    peer.reply = lambda _: web.json_response(
        {"choices": [{"text": " Loire", "finish_reason": "length", "logprobs": logprobs}], "usage": USAGE}
    )
    generation = await engine.generate(request(prompt="A river:", json_schema=SCHEMA, top_logprobs=2))
    assert peer.paths == ["/v1/completions"]
    assert peer.asked[0]["prompt"] == "A river:"
    assert peer.asked[0]["logprobs"] == 2
    assert peer.asked[0]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (generation.text, generation.finish_reason) == (" Loire", "length")
    assert generation.logprobs == (
        TokenLogprobs(" Lo", {" Lo": -0.5, " Se": -1.0}),
        TokenLogprobs("ire", {"ire": -0.1}),
    )


async def test_chat_logprobs_have_the_chosen_token_and_its_alternatives(
    peer: Peer, engine: OpenAIEngine
) -> None:
    token = {
        "token": "A",
        "logprob": -0.2,
        "bytes": None,
        "top_logprobs": [{"token": "B", "logprob": -1.7, "bytes": None}],
    }
    peer.reply = lambda _: web.json_response(chat_body(logprobs={"content": [token]}))
    generation = await engine.generate(request(top_logprobs=1))
    assert generation.logprobs == (TokenLogprobs("A", {"A": -0.2, "B": -1.7}),)


@pytest.mark.parametrize("logprobs", [None, {"content": None}, {"content": []}])
async def test_a_server_without_logprobs_gives_none(peer: Peer, engine: OpenAIEngine, logprobs: Any) -> None:
    peer.reply = lambda _: web.json_response(chat_body(logprobs=logprobs))
    assert (await engine.generate(request(top_logprobs=5))).logprobs == ()


async def test_uncounted_tokens_are_estimated_from_the_texts_and_logged_once(
    peer: Peer, engine: OpenAIEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """A budget would never end a run without token counts."""
    peer.reply = lambda _: web.json_response({**chat_body(), "usage": None})
    for _ in range(2):
        generation = await engine.generate(request())
        assert (generation.tokens_in, generation.tokens_out) == (6, 3)  # of 24 and 10 bytes
    assert caplog.text.count("token counts (usage); they are estimated") == 1


async def test_tokens_with_log_probabilities_are_counted_by_them(peer: Peer, engine: OpenAIEngine) -> None:
    tokens = [{"token": "A", "logprob": -0.2}] * 7
    peer.reply = lambda _: web.json_response({**chat_body(logprobs={"content": tokens}), "usage": {}})
    assert (await engine.generate(request(top_logprobs=1))).tokens_out == 7


async def test_unreadable_log_probabilities_are_ignored(
    peer: Peer, engine: OpenAIEngine, caplog: pytest.LogCaptureFixture
) -> None:
    peer.reply = lambda _: web.json_response(chat_body(logprobs={"content": [1]}))
    assert (await engine.generate(request(top_logprobs=5))).logprobs == ()
    assert "returns unreadable log-probabilities" in caplog.text


def test_the_size_limit_follows_from_tokens_and_alternatives() -> None:
    plain = most_bytes(request(sampling=Sampling(max_tokens=64)))
    twice = most_bytes(request(sampling=Sampling(max_tokens=128)))
    verdict = most_bytes(request(sampling=Sampling(max_tokens=64), top_logprobs=20))
    assert plain == 65_536 + 64 * 256
    assert twice - plain == 64 * 256
    assert verdict - plain == 64 * 21 * 256


async def test_the_longest_honest_answer_fits(peer: Peer, engine: OpenAIEngine) -> None:
    """Tokens of several characters beyond the basic plane, all escaped, every alternative with its bytes."""
    token = "\U0001f600" * 4
    entry = {"token": token, "logprob": -12.345678901234567, "bytes": list(token.encode())}
    tokens = [{**entry, "top_logprobs": [{**entry, "token": f"{token}{n}"} for n in range(20)]}] * 64
    message = {"content": token * 64}
    peer.reply = lambda _: web.json_response(chat_body(message=message, logprobs={"content": tokens}))
    answer = await engine.generate(request(top_logprobs=20))
    assert answer.text == token * 64
    assert len(answer.logprobs) == 64


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_server_error_is_retryable(peer: Peer, engine: OpenAIEngine, status: int) -> None:
    peer.refuses(status)
    error = await failure(engine)
    assert error.retryable
    assert len(peer.asked) == 1  # retries belong to the coordinator


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
        '{"choices": [{"finish_reason": "stop", "message": {"content": ["a"]}}]}',
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


async def test_a_missing_key_is_named(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_API_KEY", raising=False)
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    peer.refuses(401)
    with pytest.raises(EngineDead, match=r"without a key \(TEST_API_KEY is not set\)"):
        await OpenAIEngine(config(peer.url)).start()
    assert set(peer.authorization) == {None}


async def test_white_space_around_a_key_is_not_sent(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_API_KEY", f" {KEY}\n")
    engine = OpenAIEngine(config(peer.url))
    await engine.generate(request())
    assert peer.authorization == [f"Bearer {KEY}"]


@pytest.mark.parametrize("key", ["sk-\u043a-that-no-header-can-hold", "sk-a\nb-that-no-header-can-hold"])
async def test_a_key_that_does_not_fit_a_header_fails_without_being_shown(
    peer: Peer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_API_KEY", key)
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    with pytest.raises(EngineDead, match="TEST_API_KEY") as caught:
        await OpenAIEngine(config(peer.url)).start()
    assert "no-header" not in "".join(traceback.format_exception(caught.value))


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


@pytest.mark.parametrize("chat", [True, False])
async def test_starting_requests_one_token(peer: Peer, chat: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    if not chat:
        peer.reply = lambda _: web.json_response({"choices": [{"text": "!", "finish_reason": "length"}]})
    engine = OpenAIEngine(config(peer.url, chat=chat))
    await engine.start()
    await engine.check()
    await engine.stop()
    assert peer.paths == ["/v1/chat/completions" if chat else "/v1/completions"]
    assert peer.asked[0]["max_tokens"] == 1


async def test_starting_retries_a_busy_server(
    peer: Peer, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    replies = [web.json_response({}, status=503), web.json_response(chat_body())]
    peer.reply = lambda _: replies.pop(0)
    await engine.start()
    assert replies == []


async def test_starting_gives_up_on_a_server_that_stays_broken(
    peer: Peer, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    peer.refuses(500)
    with pytest.raises(EngineDead, match="did not answer a probe"):
        await engine.start()
    assert len(peer.asked) == openai_engine.PROBES


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
async def test_the_key_is_in_no_log_error_or_repr_even_if_the_server_repeats_it(
    peer: Peer, engine: OpenAIEngine, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    text = f"Incorrect API key provided: {KEY}"
    if status == 200:
        peer.reply = lambda _: web.json_response(chat_body(finish_reason=text))
    else:
        peer.refuses(status, text)
    try:
        await engine.generate(request())
    except (EngineDead, EngineError) as error:
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)
        assert "***" in shown
    assert KEY not in shown
    assert KEY not in repr(engine) + str(vars(engine.config))
    assert KEY not in "\n".join(json.dumps(str(vars(record))) for record in caplog.records)


async def test_cookies_are_not_kept(peer: Peer, engine: OpenAIEngine) -> None:
    cookies: list[str | None] = []

    def reply(asked: web.Request) -> web.Response:
        cookies.append(asked.headers.get("Cookie"))
        return web.json_response(chat_body(), headers={"Set-Cookie": f"n{len(cookies)}={'x' * 4000}; Path=/"})

    peer.reply = reply
    for _ in range(3):
        await engine.generate(request())
    assert cookies == [None] * 3


async def test_a_password_in_the_address_is_not_shown(unused_tcp_port: int) -> None:
    engine = OpenAIEngine(config(f"http://user:password@127.0.0.1:{unused_tcp_port}/v1"))
    assert "password" not in str(await failure(engine))


async def test_user_and_password_of_the_address_are_sent_and_not_logged(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    engine = OpenAIEngine(config(peer.url.replace("//", "//user:password@")))
    await engine.generate(request())
    assert peer.authorization == ["Basic dXNlcjpwYXNzd29yZA=="]
    assert "password" not in caplog.text


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("SSL_CERT_FILE", "/gone/roots.pem", "can't load SSL_CERT_FILE=/gone/roots.pem: "),
        (
            "ALL_PROXY",
            "socks5://127.0.0.1:1",
            "can't use the proxy of ALL_PROXY, HTTPS_PROXY or HTTP_PROXY: ",
        ),
        ("HTTPS_PROXY", "gopher://x", "can't use the proxy of ALL_PROXY, HTTPS_PROXY or HTTP_PROXY: "),
    ],
)
def test_a_wrong_network_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    for other in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(EngineDead) as caught:
        OpenAIEngine(ModelConfig(kind=EngineKind.openai, model="x", base_url="http://127.0.0.1:1/v1"))
    assert str(caught.value).startswith(line)
