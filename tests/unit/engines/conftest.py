"""A server on loopback, and an engine with a key for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from actors.engines.openai_engine import OpenAIEngine
from tests.support.peer_server import KEY, Peer, config


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
