"""Starting the engine for OpenAI-compatible servers."""

from __future__ import annotations

import pytest
from aiohttp import web

from actors.engines import openai_engine
from actors.engines.capabilities import FORMS
from actors.engines.http_client import HttpClient
from actors.engines.openai_engine import OpenAIEngine
from staragents.base.errors import EngineDead
from staragents.base.loopback import is_loopback, is_on_loopback
from staragents.base.messages import Message
from staragents.config import EngineKind, ModelConfig
from tests.support.peer_server import KEY, Peer, chat_body, config, failure, request


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
    replies = [web.json_response({}, status=500), web.json_response(chat_body())]
    peer.reply = lambda _: replies.pop(0)
    await engine.start()
    assert replies == []


async def test_starting_waits_for_a_server_that_loads_its_model(
    peer: Peer, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    loading = {"error": {"message": "Loading model", "code": 503}}
    peer.reply = lambda _: (
        web.json_response(chat_body()) if len(peer.asked) > 9 else web.json_response(loading, status=503)
    )
    await engine.start()
    assert len([line for line in caplog.messages if "waiting up to 120 s for" in line]) == 1


async def test_starting_waits_for_its_turn_and_repeats_no_probe_that_was_answered(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that allows a request a while would never answer all probes of one attempt."""
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    probes = tuple(request(messages=(Message("user", f"Name river {number}."),)) for number in range(5))
    busy = {"error": {"message": "Too many requests"}}
    peer.reply = lambda _: (
        web.json_response(busy, status=429) if len(peer.asked) % 2 else web.json_response(chat_body())
    )
    engine = OpenAIEngine(config(peer.url), probes)
    await engine.start()
    await engine.stop()
    assert len(peer.asked) == 2 * len(probes)


async def test_starting_does_not_wait_for_ever(
    peer: Peer, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    monkeypatch.setattr(openai_engine, "START_S", -1.0)
    peer.refuses(503, "Loading model")
    with pytest.raises(EngineDead, match="Loading model"):
        await engine.start()
    assert len(peer.asked) == openai_engine.PROBES


async def test_starting_gives_up_on_a_server_that_stays_broken(
    peer: Peer, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    peer.refuses(500)
    with pytest.raises(EngineDead, match="did not answer a probe"):
        await engine.start()
    plainest = len(FORMS["limit"])
    assert len(peer.asked) == openai_engine.PROBES + plainest


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {"message": "You exceeded your current quota.", "code": "insufficient_quota"}),
        (402, {"message": "Insufficient Balance"}),
        (400, {"message": "Your credit balance is too low to access the API."}),
    ],
)
async def test_an_exhausted_quota_ends_the_start_at_once(
    peer: Peer, engine: OpenAIEngine, status: int, error: dict[str, str]
) -> None:
    """Like a key that is refused, and without the retries and pauses of a busy server."""
    peer.reply = lambda _: web.json_response({"error": error}, status=status, headers={"Retry-After": "30"})
    with pytest.raises(
        EngineDead, match=f"no quota or credit is left for the key in TEST_API_KEY: {error['message']}"
    ):
        await engine.start()
    assert len(peer.asked) == 1


async def test_an_exhausted_quota_fails_requests_without_retries(peer: Peer, engine: OpenAIEngine) -> None:
    peer.reply = lambda _: web.json_response(
        {"error": {"message": "x", "code": "insufficient_quota"}}, status=429
    )
    error = await failure(engine)
    assert not error.retryable
    assert "pausing" not in str(error)


@pytest.mark.parametrize(
    ("status", "text"),
    [(404, "The model `m` does not exist."), (400, "Model Not Exist"), (400, "m is not a valid model ID")],
)
async def test_a_model_that_is_not_served_is_named_with_those_that_are(
    peer: Peer, engine: OpenAIEngine, status: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    peer.models = {"object": "list", "data": [{"id": f"fake-{n}"} for n in range(9)] + [{"id": "mm"}]}
    peer.refuses(status, text)
    with pytest.raises(EngineDead, match=r"the server lists mm, fake-0, .* and 4 more") as caught:
        await engine.start()
    assert text in str(caught.value)


@pytest.mark.parametrize("models", [[], {"data": None}, {"data": [7, {"id": 1}]}, "no", {"models": ["a"]}])
async def test_an_odd_list_of_models_is_no_problem(
    peer: Peer, engine: OpenAIEngine, models: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    peer.models = models
    peer.refuses(404, "no")
    with pytest.raises(EngineDead, match="does not serve 'm'"):
        await engine.start()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_no_proxy_comes_between_us_and_this_machine(
    peer: Peer, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens at the proxies, and the last one needs a package that is not installed."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "socks5://127.0.0.1:9" if name == "ALL_PROXY" else "http://127.0.0.1:9")
    engine = OpenAIEngine(
        ModelConfig(kind=EngineKind.openai, model="m", base_url=peer.url.replace("127.0.0.1", host))
    )
    await engine.start()
    await engine.stop()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("api.localhost", True),
        ("[::1]", True),
        ("0.0.0.0", True),
        ("10.0.0.1", False),
        ("models.example", False),
        ("localhost.example", False),
    ],
)
def test_what_loopback_is(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
    assert is_on_loopback(f"http://{host}:8000/v1") is expected


async def test_azure_gets_its_own_key_header() -> None:
    azure = HttpClient("https://fake.openai.azure.com/openai/deployments/m?api-version=1", KEY, 1)
    other = HttpClient("https://models.example/v1", KEY, 1)
    assert azure._client.headers["api-key"] == KEY
    assert "api-key" not in other._client.headers
    assert azure.address == "https://fake.openai.azure.com/openai/deployments/m"
