"""The memory bank: recall, size bound, rewind, kills, and servers that are unreachable or hostile."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer as LoopbackServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import AsyncQdrantClient, models

from staragents.base.errors import BadInput
from staragents.base.records import stable_id
from staragents.config import MemoryConfig, Quantization
from staragents.memory import bank as memory_bank
from staragents.memory import storage
from staragents.memory.bank import MemoryBank
from staragents.memory.memory import Memory
from tests.support.paths import ROOT

SIZE = 4
QDRANT_URL = os.environ.get("STARAGENTS_TEST_QDRANT_URL")
KEY, KEY_NAME = "qdrant-key-that-nobody-may-see", "QDRANT_KEY_OF_THE_TEST"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_NAME, KEY)


def unit(*values: float) -> np.ndarray:
    vector = np.array([*values, *[0.0] * (SIZE - len(values))], dtype=np.float32)
    return vector / np.linalg.norm(vector)


def memory(order: int, pair: str = "a+b", reward: float = 0.5, vector: np.ndarray | None = None) -> Memory:
    name = stable_id("memory", str(order), pair)
    return Memory(
        name, order, f"seed-{order}", pair, reward, unit(1, order / 100) if vector is None else vector
    )


def bank(run: str = "run", path: str = ":memory:", retry_s: float = 10.0, **settings: Any) -> MemoryBank:
    known: dict[str, Any] = {
        "timeout_s": 5.0,
        "collection": "memories",
        "neighbours": 100,
        "min_similarity": -1.0,
    }
    made = MemoryBank(MemoryConfig(**known | settings), run, path)
    made.retry_s = retry_s
    return made


async def opened(**arguments: Any) -> MemoryBank:
    opened_bank = bank(**arguments)
    await opened_bank.open(SIZE)
    return opened_bank


async def recalled(of: MemoryBank) -> list[tuple[str, float]]:
    return [(found.payload["pair"], found.payload["reward"]) for found in await of.recall(unit(1))]


async def test_recall_gives_the_most_similar_first_and_nothing_below_the_threshold() -> None:
    memories = await opened(min_similarity=0.5)
    await memories.insert(memory(0, "near+x", 0.25, unit(1, 0.1)))
    await memories.insert(memory(1, "far+x", 0.75, unit(0, 1)))
    await memories.insert(memory(2, "same+x", 0.5, unit(1)))
    found = [one.neighbour() for one in await memories.recall(unit(1))]
    assert [(n.pair, n.reward) for n in found] == [("same+x", 0.5), ("near+x", 0.25)]
    assert found[0].similarity == pytest.approx(1.0, abs=1e-5)
    assert found[1].similarity == pytest.approx(1 / np.sqrt(1.01), abs=1e-5)
    assert await memories.recall(unit(0, 0, 1)) == []
    assert (memories.queries, memories.hits) == (2, 1)
    memories.config.neighbours = 1
    assert len(await memories.recall(unit(1))) == 1


async def test_an_empty_bank_recalls_nothing() -> None:
    assert await (await opened()).recall(unit(1)) == []


async def test_the_same_point_counts_once() -> None:
    memories = await opened()
    await memories.insert(memory(0, reward=0.2))
    await memories.insert(memory(0, reward=0.8))
    assert await memories.count() == 1
    assert await recalled(memories) == [("a+b", 0.8)]


async def test_a_full_bank_evicts_the_smallest_rewards_and_among_equals_the_oldest() -> None:
    memories = await opened(max_points=3)
    for order, reward in enumerate([0.9, 0.1, 0.5, 0.5, 0.5, 0.9]):
        await memories.insert(memory(order, f"{order}+x", reward))
    assert await memories.count() == 3
    assert {pair for pair, _ in await recalled(memories)} == {"0+x", "4+x", "5+x"}


async def test_a_full_bank_is_cleared_in_batches() -> None:
    memories = await opened(max_points=200, neighbours=300)
    for order in range(202):
        await memories.insert(memory(order, f"{order}+x", reward=order / 1000))
    assert await memories.count() == 202
    await memories.insert(memory(202, "202+x", reward=0.001))
    assert await memories.count() == 200
    assert min(reward for _, reward in await recalled(memories)) == 0.002


async def test_redundant_points_are_evicted_before_novel_ones() -> None:
    memories = await opened(max_points=3)
    await memories.insert(memory(0, "a+x", 0.9, unit(1)))
    await memories.insert(memory(1, "a+x", 0.8, unit(1, 0.01)))  # the same pair on the same instruction
    await memories.insert(memory(2, "b+x", 0.3, unit(1)))  # another pair there
    await memories.insert(memory(3, "a+x", 0.2, unit(0, 1)))  # the same pair elsewhere
    assert sorted(reward for _, reward in await recalled(memories)) == [0.2, 0.3, 0.9]


async def test_points_of_one_insertion_count_for_each_others_novelty() -> None:
    memories = await opened(max_points=2)
    await memories.load([memory(n, "a+x", 0.9 - n / 10, unit(1)) for n in range(3)])
    assert sorted(reward for _, reward in await recalled(memories)) == [0.7, 0.9]


async def test_a_repeated_point_is_not_its_own_duplicate() -> None:
    memories = await opened()
    for _ in range(2):
        await memories.insert(memory(0))
    assert (await memories.points())[0].payload["worth"] == 0.5  # type: ignore[index]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rewards=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    same_text=st.booleans(),
    keep=st.integers(-1, 20),
)
def test_rewinding_keeps_committed_points(rewards: list[float], same_text: bool, keep: int) -> None:
    async def both() -> None:
        vectors = [unit(1, 0 if same_text else i / 10) for i in range(len(rewards))]
        memories = [memory(i, f"{i}+x", reward, vectors[i]) for i, reward in enumerate(rewards)]
        rewound, never_went_on = await opened(), await opened()
        for item in memories:
            await rewound.insert(item)
        await rewound.rewind(keep)
        for item in memories[: keep + 1]:
            await never_went_on.insert(item)
        assert await rewound.count() == min(len(rewards), keep + 1)
        assert await rewound.recall(unit(1)) == await never_went_on.recall(unit(1))

    asyncio.run(both())


async def test_runs_of_a_shared_collection_know_nothing_of_each_other(peer: QdrantPeer) -> None:
    mine, other = (
        await opened(url=peer.url, run="mine"),
        await opened(url=peer.url, run="other", max_points=1),
    )
    await mine.insert(memory(0, "mine+x"))
    await other.insert(memory(1, "other+x"))
    await other.insert(memory(2, "other+y", 0.9))
    assert await recalled(other) == [("other+y", 0.9)]
    await other.rewind(-1)
    assert (await recalled(other), await other.count()) == ([], 0)
    assert (await recalled(mine), await mine.count()) == ([("mine+x", 0.5)], 1)
    assert mine.failures + other.failures == 0


async def test_a_moved_folder_is_the_same_bank(tmp_path: Path) -> None:
    first = await opened(path=str(tmp_path / "a"), run="a", collection=None)
    await first.insert(memory(0))
    await first.close()
    (tmp_path / "a").rename(tmp_path / "b")
    moved = await opened(path=str(tmp_path / "b"), run="b", collection=None)
    assert await moved.count() == 1
    await moved.rewind(-1)
    assert await moved.count() == 0
    await moved.close()


async def test_equal_similarities_come_in_the_same_order_after_reopening(tmp_path: Path) -> None:
    first = await opened(path=str(tmp_path), neighbours=3)
    for order in range(6):
        await first.insert(memory(order, f"{order}+x", vector=unit(1)))
    before = await recalled(first)
    await first.close()
    second = await opened(path=str(tmp_path), neighbours=3)
    assert await recalled(second) == before
    await second.close()


async def test_another_vector_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    await (await opened(path=str(tmp_path))).close()
    with pytest.raises(BadInput, match=r"memory\.collection: expected vectors of size 8 .* got \(4, 'Dot'\)"):
        await bank(path=str(tmp_path)).open(8)
    # The refused bank has released the folder.
    await (await opened(path=str(tmp_path))).close()


WRITER = """
import asyncio, sys
import numpy as np
from staragents.config import MemoryConfig
from staragents.memory.bank import MemoryBank
from staragents.memory.memory import Memory
from staragents.base.records import stable_id

async def main():
    bank = MemoryBank(MemoryConfig(collection="memories", max_points=10**6), "run", sys.argv[1])
    await bank.open(4)
    for order in range(10**6):
        vector = np.array([1, order / 100, 0, 0], dtype=np.float32)
        await bank.insert(Memory(stable_id(str(order)), order, str(order), "a+b", 0.5, vector))
        print(order, flush=True)

asyncio.run(main())
"""


async def test_a_bank_whose_process_was_killed_opens_with_all_inserted_points(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == 10:
                os.kill(writer.pid, signal.SIGKILL)
                break
        written = 1 + max([10, *(int(line) for line in writer.stdout if line.strip())])
    assert (tmp_path / ".lock").exists()
    again = await opened(path=str(tmp_path))
    assert written <= await again.count() <= written + 1
    await again.rewind(4)
    assert await again.count() == 5
    await again.close()


async def test_a_folder_whose_first_write_was_cut_off_opens_with_its_points(tmp_path: Path) -> None:
    first = await opened(path=str(tmp_path))
    await first.insert(memory(0))
    await first.close()
    (tmp_path / "meta.json").write_text("")
    again = await opened(path=str(tmp_path))
    assert await again.count() == 1
    await again.close()


async def test_a_folder_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "LOCK_WAIT_S", 0.0)
    holder = await opened(path=str(tmp_path))
    with pytest.raises(BadInput, match="in use by another process"):
        await opened(path=str(tmp_path))
    await holder.close()


class QdrantPeer:
    """A loopback server with the part of Qdrant's REST API that the bank uses; it can misbehave on demand."""

    def __init__(self) -> None:
        self.mode = "ok"
        self.requests = 0
        self.keys: set[str | None] = set()
        self._store = AsyncQdrantClient(":memory:")
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = LoopbackServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        self.keys.add(request.headers.get("api-key"))
        match self.mode:
            case "hang":
                await asyncio.sleep(60)
            case "error":
                return web.json_response({"status": {"error": KEY}}, status=500)
            case "refuse":
                return web.json_response({"status": {"error": f"bad key {KEY}"}}, status=401)
            case "garbage":
                return web.Response(text="{not json", content_type="application/json")
            case "empty":
                return web.json_response({"result": None, "status": "ok", "time": 0})
        body = await request.json() if request.can_read_body else {}
        result = await self._result(request.method, request.path.split("/")[2:], body)
        return web.json_response({"result": result, "status": "ok", "time": 0})

    async def _result(self, method: str, path: list[str], body: dict[str, Any]) -> Any:
        name, store = path[0], self._store
        done = {"operation_id": 1, "status": "completed"}
        match method, path[1:]:
            case "GET", ["exists"]:
                return {"exists": await store.collection_exists(name)}
            case "GET", []:
                return (await store.get_collection(name)).model_dump(mode="json")
            case "PUT", []:
                return await store.create_collection(name, models.VectorParams(**body["vectors"]))
            case "PUT", ["index"]:
                return done
            case "PUT", ["points"]:
                await store.upsert(name, [models.PointStruct(**point) for point in body["points"]])
                return done
            case "POST", ["points", "count"]:
                where = models.Filter(**body["filter"]) if body.get("filter") else None
                return {"count": (await store.count(name, where)).count}
            case "POST", ["points", "delete"]:
                if "points" in body:
                    await store.delete(name, models.PointIdsList(points=body["points"]))
                else:
                    await store.delete(name, models.FilterSelector(filter=models.Filter(**body["filter"])))
                return done
            case "POST", ["points", "scroll"]:
                where = models.Filter(**body["filter"]) if body.get("filter") else None
                order_by = models.OrderBy(**body["order_by"])
                points, _ = await store.scroll(name, where, limit=body["limit"], order_by=order_by)
                return {"points": [point.model_dump(mode="json") for point in points]}
            case "POST", ["points", "query"]:
                assert body["params"]["exact"] is True
                where = models.Filter(**body["filter"]) if body.get("filter") else None
                query = body["query"]["nearest"]
                found = await store.query_points(name, query=query, query_filter=where, limit=body["limit"])
                return {"points": [point.model_dump(mode="json") for point in found.points]}
        raise AssertionError(f"the bank requested {method} {path}")


@pytest.fixture
async def peer() -> Any:
    qdrant = QdrantPeer()
    await qdrant.server.start_server()
    yield qdrant
    await qdrant.server.close()


async def test_a_server_gets_the_key_and_stores_points(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, api_key_env=KEY_NAME)
    await memories.insert(memory(0, "a+x"))
    await memories.insert(memory(1, "b+x"))
    assert [pair for pair, _ in await recalled(memories)] == ["a+x", "b+x"]
    await memories.rewind(0)
    assert await memories.count() == 1
    assert memories.available
    assert peer.keys == {KEY}
    await memories.close()


async def test_a_full_bank_on_a_server_evicts_the_smallest_rewards(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, max_points=3)
    for order, reward in enumerate([0.9, 0.1, 0.5, 0.5, 0.5, 0.9]):
        await memories.insert(memory(order, f"{order}+x", reward))
    assert {pair for pair, _ in await recalled(memories)} == {"0+x", "4+x", "5+x"}
    assert memories.failures == 0
    await memories.close()


async def test_another_vector_size_on_a_server_is_refused(peer: QdrantPeer) -> None:
    await (await opened(url=peer.url)).close()
    with pytest.raises(BadInput, match=r"expected vectors of size 8 .* got \(4, 'Dot'\)"):
        await bank(url=peer.url).open(8)


async def test_a_refused_key_is_bad_input_that_does_not_show_it(peer: QdrantPeer) -> None:
    peer.mode = "refuse"
    with pytest.raises(BadInput, match=r"memory\.api_key_env: .* got 401") as caught:
        await opened(url=peer.url, api_key_env=KEY_NAME)
    assert KEY not in repr(caught.value)


@pytest.mark.parametrize("mode", ["hang", "error", "garbage", "empty", "refuse"])
async def test_the_run_continues_without_its_server_and_catches_up_later(
    peer: QdrantPeer, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    memories = await opened(url=peer.url, api_key_env=KEY_NAME, timeout_s=1.0, retry_s=0.0)
    await memories.insert(memory(0, "a+x"))
    peer.mode = mode
    assert await memories.recall(unit(1)) == []
    await memories.insert(memory(1, "b+x"))
    await memories.insert(memory(2, "c+x"))
    assert (memories.available, memories.queued, memories.failures) == (False, 2, 3)
    peer.mode = "ok"
    assert {pair for pair, _ in await recalled(memories)} == {"a+x", "b+x", "c+x"}
    assert (memories.available, memories.queued) == (True, 0)
    said = [record.message for record in caplog.records if record.name == memory_bank.__name__]
    assert len(said) == 2
    assert "is unavailable" in said[0]
    assert "is available again" in said[1]
    assert KEY not in caplog.text
    await memories.close()


async def test_an_unreachable_server_is_not_retried_immediately(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, timeout_s=1.0, retry_s=60.0)
    peer.mode = "error"
    asked_before = peer.requests
    for _ in range(5):
        assert await memories.recall(unit(1)) == []
    assert peer.requests == asked_before + 1


async def test_a_bank_that_starts_without_its_server_rewinds_before_it_recalls(
    peer: QdrantPeer,
) -> None:
    before = await opened(url=peer.url)
    for order in range(3):
        await before.insert(memory(order, f"{order}+x"))
    await before.close()
    peer.mode = "hang"
    memories = await opened(url=peer.url, timeout_s=1.0, retry_s=0.0)
    await memories.rewind(0)
    await memories.insert(memory(1, "new+x"))
    assert not memories.available
    peer.mode = "ok"
    assert {pair for pair, _ in await recalled(memories)} == {"0+x", "new+x"}
    await memories.close()


async def test_rewinding_also_drops_queued_points(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, timeout_s=1.0, retry_s=0.0)
    peer.mode = "error"
    for order in range(4):
        await memories.insert(memory(order, f"{order}+x"))
    await memories.rewind(1)
    peer.mode = "ok"
    assert {pair for pair, _ in await recalled(memories)} == {"0+x", "1+x"}
    await memories.close()


async def test_the_queue_is_bounded_and_loses_the_oldest(
    peer: QdrantPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_bank, "QUEUE_LIMIT", 2)
    memories = await opened(url=peer.url, timeout_s=1.0, retry_s=0.0)
    peer.mode = "error"
    for order in range(3):
        await memories.insert(memory(order, f"{order}+x"))
    assert (memories.queued, memories.dropped) == (2, 1)
    peer.mode = "ok"
    assert {pair for pair, _ in await recalled(memories)} == {"1+x", "2+x"}
    await memories.close()


async def test_a_closed_port_is_an_unreachable_bank(unused_tcp_port: int) -> None:
    memories = await opened(url=f"http://127.0.0.1:{unused_tcp_port}", timeout_s=1.0)
    assert not memories.available
    assert await memories.recall(unit(1)) == []
    assert await memories.count() == 0
    await memories.close()


@pytest.mark.skipif(QDRANT_URL is None, reason="STARAGENTS_TEST_QDRANT_URL names no real Qdrant server")
async def test_a_real_server_stores_evicts_and_rewinds() -> None:
    url, name = QDRANT_URL, f"staragents-test-{uuid.uuid4()}"
    assert url is not None
    memories = bank(
        collection=name, max_points=3, timeout_s=10.0, url=url, hnsw={"m": 8}, quantization=Quantization.int8
    )
    try:
        await memories.open(SIZE)
        for order, reward in enumerate([0.9, 0.1, 0.5, 0.5, 0.5, 0.9]):
            await memories.insert(memory(order, f"{order}+x", reward))
        assert {pair for pair, _ in await recalled(memories)} == {"0+x", "4+x", "5+x"}
        await memories.rewind(4)
        assert {pair for pair, _ in await recalled(memories)} == {"0+x", "4+x"}
        await memories.close()
    finally:
        await AsyncQdrantClient(url=url).delete_collection(name)
