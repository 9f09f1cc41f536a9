"""Starting the engine for OpenAI-compatible servers."""

from __future__ import annotations

import pytest
from aiohttp import web

from actors.engines import openai_engine
from actors.engines.openai_engine import OpenAIEngine
from staragents.base.errors import EngineDead
from tests.support.peer_server import KEY, Peer, chat_body, config


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
