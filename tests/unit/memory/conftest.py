from __future__ import annotations

from typing import Any

import pytest

from tests.support.qdrant_peer import QdrantPeer


@pytest.fixture
async def peer() -> Any:
    qdrant = QdrantPeer()
    await qdrant.server.start_server()
    yield qdrant
    await qdrant.server.close()
