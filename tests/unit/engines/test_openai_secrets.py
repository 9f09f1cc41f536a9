"""Keys, passwords, proxies and certificates of the engine for OpenAI-compatible servers."""

from __future__ import annotations

import json
import logging
import traceback

import pytest
from aiohttp import web

from actors.engines import openai_engine
from actors.engines.openai_engine import OpenAIEngine
from staragents.base.errors import EngineDead, EngineError
from staragents.config import EngineKind, ModelConfig
from tests.support.peer_server import KEY, Peer, chat_body, config, failure, request


@pytest.mark.parametrize("key", [None, "", " \n"])
async def test_a_missing_key_is_named(peer: Peer, key: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("TEST_API_KEY", key)
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


@pytest.mark.parametrize(
    "key",
    [
        "sk-\u043a-that-no-header-can-hold",
        "sk-a\nb-that-no-header-can-hold",
        '"sk-that-no-header-holds-with-quotes"',
        "Bearer sk-that-no-header-holds-twice",
    ],
)
async def test_a_key_that_does_not_fit_a_header_fails_without_being_shown(
    peer: Peer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_API_KEY", key)
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    with pytest.raises(EngineDead, match="TEST_API_KEY") as caught:
        await OpenAIEngine(config(peer.url)).start()
    assert "no-header" not in "".join(traceback.format_exception(caught.value))


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
        OpenAIEngine(ModelConfig(kind=EngineKind.openai, model="x", base_url="https://models.invalid/v1"))
    assert str(caught.value).startswith(line)


async def test_a_server_on_this_machine_needs_no_certificates(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environments of conda often name a file that is gone."""
    monkeypatch.setenv("SSL_CERT_FILE", "/gone/roots.pem")
    engine = OpenAIEngine(config(peer.url))
    assert (await engine.generate(request())).text == "The Loire."
    await engine.stop()


async def test_https_to_a_server_that_speaks_http_is_named(peer: Peer) -> None:
    error = await failure(OpenAIEngine(config(peer.url.replace("http:", "https:"))))
    assert "the server may speak http instead of https (base_url)" in str(error)
