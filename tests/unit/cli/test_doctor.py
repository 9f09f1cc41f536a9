"""`staragents doctor` asks the servers of a config what they take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from actors.engines import openai_engine
from cluster.cli.server_check import server_findings
from staragents.config import Config
from staragents.validation.loading import load_config
from tests.support.paths import FAKE
from tests.support.peer_server import Peer
from tests.support.server_modes import honest, refused


@pytest.fixture
async def peer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Peer]:
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    served = Peer()
    served.reply = lambda _: web.json_response(honest(served.asked[-1]))
    await served.server.start_server()
    yield served
    await served.server.close()


def config(peer: Peer, *more: str) -> Config:
    server = [f"models.judge.{setting}" for setting in ("kind=openai", "model=m", f"base_url={peer.url}")]
    return load_config(FAKE, [*server, *more])


async def findings(config: Config) -> list[tuple[str, bool, str]]:
    return await asyncio.to_thread(lambda: list(server_findings(config)))


async def test_a_server_that_takes_everything_is_fine(peer: Peer) -> None:
    assert await findings(config(peer)) == [
        ("models.judge", True, f"{peer.url} answers as m; takes every request as it is")
    ]
    assert peer.asked[0]["top_logprobs"] == 20  # the judge's own request


async def test_what_is_refused_is_shown_with_the_servers_words(peer: Peer) -> None:
    peer.reply = lambda _: (
        refused("This model does not support the 'logprobs' parameter.")
        if "logprobs" in peer.asked[-1]
        else web.json_response(honest(peer.asked[-1]))
    )
    ((_, answers, found),) = await findings(config(peer))
    assert answers
    assert "no log-probabilities: verdicts use only their label (the server: This model does not" in found


async def test_prices_and_context_are_shown_where_the_server_tells_them(peer: Peer) -> None:
    pricing = {"prompt": "0.00000015", "completion": "0.0000006"}
    peer.models = {"data": [{"id": "m", "pricing": pricing, "context_length": 32768}]}
    ((_, _, found),) = await findings(config(peer))
    assert "its context has 32,768 tokens" in found
    assert "are 0.15 (prompt) and 0.6 (generated): set models.judge.price_in=0.15" in found
    ((_, _, found),) = await findings(
        config(peer, "models.judge.price_in=0.15", "models.judge.price_out=0.6")
    )
    assert found.endswith("are 0.15 (prompt) and 0.6 (generated)")


async def test_a_server_that_does_not_answer_is_a_problem(peer: Peer) -> None:
    peer.refuses(401, "wrong key")
    ((_, answers, found),) = await findings(config(peer))
    assert not answers
    assert "status 401" in found
    assert "wrong key" in found


async def test_models_of_other_engines_are_not_asked(peer: Peer) -> None:
    assert await findings(load_config(FAKE, [])) == []
