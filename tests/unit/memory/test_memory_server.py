"""The memory bank on a server that is unreachable, hostile or shared."""

from __future__ import annotations

import logging
import os
import uuid

import pytest
from qdrant_client import AsyncQdrantClient, models

from staragents.base.errors import BadInput
from staragents.config import Quantization
from staragents.memory import server_bank
from tests.support.memory_banks import SIZE, memory, of_earlier_run, opened, recalled, seeds, server, unit
from tests.support.qdrant_peer import KEY, KEY_NAME, QdrantPeer

pytestmark = pytest.mark.slow

QDRANT_URL = os.environ.get("STARAGENTS_TEST_QDRANT_URL")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_NAME, KEY)


async def test_runs_of_a_shared_collection_know_nothing_of_each_other(peer: QdrantPeer) -> None:
    mine, other = (
        await opened(url=peer.url, run="mine"),
        await opened(url=peer.url, run="other", max_points=1),
    )
    await mine.remember([memory(0)])
    await other.remember([memory(1)])
    await other.remember([memory(2, a=0.9, b=0.0)])
    assert await recalled(other) == [("seed-2", "a", 0.9), ("seed-2", "b", 0.0)]
    await other.rewind(-1)
    assert (await recalled(other), await other.count()) == ([], 0)
    assert (await seeds(mine), await mine.count()) == (["seed-0"], 1)
    assert mine.failures + other.failures == 0


async def test_a_server_gets_the_key_and_stores_points(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, api_key_env=KEY_NAME)
    await memories.remember([memory(0)])
    await memories.remember([memory(1)])
    assert await seeds(memories) == ["seed-0", "seed-1"]
    await memories.rewind(0)
    assert await memories.count() == 1
    assert memories.available
    assert peer.keys == {KEY}
    await memories.close()


async def test_a_full_bank_on_a_server_evicts_what_tells_least(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, max_points=3)
    for order, reward in enumerate([0.9, 0.1, 0.5, 0.5, 0.5, 0.9]):
        await memories.remember([memory(order, **{f"a{order}": reward, f"b{order}": 0.0})])
    assert set(await seeds(memories)) == {"seed-0", "seed-4", "seed-5"}
    assert memories.failures == 0
    await memories.close()


async def test_another_vector_size_on_a_server_is_refused(peer: QdrantPeer) -> None:
    await (await opened(url=peer.url)).close()
    with pytest.raises(BadInput, match=r"expected vectors of size 8 .* got \(4, 'Dot'\)"):
        await server(url=peer.url).open(8)


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
    await memories.remember([memory(0)])
    peer.mode = mode
    assert await recalled(memories) == []
    await memories.remember([memory(1)])
    await memories.remember([memory(2)])
    assert (memories.available, memories.queued, memories.failures) == (False, 2, 3)
    peer.mode = "ok"
    assert set(await seeds(memories)) == {"seed-0", "seed-1", "seed-2"}
    assert (memories.available, memories.queued) == (True, 0)
    said = [record.message for record in caplog.records if record.name == server_bank.__name__]
    assert len(said) == 2
    assert "is unavailable" in said[0]
    assert "is available again" in said[1]
    assert KEY not in caplog.text
    await memories.close()


async def test_a_server_that_comes_back_without_its_volume_is_used_again(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, retry_s=0.0)
    await memories.remember([memory(0)])
    await peer.lose("memories")
    await memories.remember([memory(1)])
    assert (memories.available, memories.queued) == (False, 1)
    assert await seeds(memories) == ["seed-1"]
    assert (memories.available, await memories.known()) == (True, 0)
    await memories.close()


async def test_a_slow_server_catches_up_with_fewer_seeds_at_a_time(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, timeout_s=1.0, retry_s=0.0)
    peer.mode = "error"
    await memories.remember([memory(order) for order in range(24)])
    peer.mode, peer.query_s = "ok", 0.1
    for _ in range(20):
        if memories.queued:
            await memories.recall(unit(1))
    assert (memories.available, memories.queued, await memories.known()) == (True, 0, 24)
    await memories.close()


async def test_a_slow_server_takes_earlier_runs_with_fewer_seeds_at_a_time(peer: QdrantPeer) -> None:
    peer.query_s = 0.1
    memories = await opened(url=peer.url, timeout_s=1.0)
    await memories.reuse([of_earlier_run(number, unit(1, number)) for number in range(16)])
    assert await memories.count() == 16
    await memories.close()


async def test_a_server_that_is_back_with_other_vectors_does_not_stop_the_run(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, retry_s=0.0)
    await peer.lose("memories")
    other = server(url=peer.url)
    await other.open(8)
    await other.close()
    assert await recalled(memories) == []
    await memories.remember([memory(0)])
    assert (memories.available, memories.queued) == (False, 1)
    await memories.close()


async def test_an_unreachable_server_is_not_retried_immediately(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, timeout_s=1.0, retry_s=60.0)
    peer.mode = "error"
    asked_before = peer.requests
    for _ in range(5):
        assert await recalled(memories) == []
    assert peer.requests == asked_before + 1


async def test_a_bank_that_starts_without_its_server_rewinds_before_it_recalls(
    peer: QdrantPeer,
) -> None:
    before = await opened(url=peer.url)
    for order in range(3):
        await before.remember([memory(order)])
    await before.close()
    peer.mode = "hang"
    memories = await opened(url=peer.url, timeout_s=1.0, retry_s=0.0)
    await memories.rewind(0)
    await memories.remember([memory(1)])
    assert not memories.available
    peer.mode = "ok"
    assert set(await seeds(memories)) == {"seed-0", "seed-1"}
    await memories.close()


async def test_rewinding_also_drops_queued_points(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, timeout_s=1.0, retry_s=0.0)
    peer.mode = "error"
    for order in range(4):
        await memories.remember([memory(order)])
    await memories.rewind(1)
    peer.mode = "ok"
    assert set(await seeds(memories)) == {"seed-0", "seed-1"}
    await memories.close()


async def test_the_queue_is_bounded_loses_the_oldest_and_says_so_once(
    peer: QdrantPeer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server_bank, "QUEUE_LIMIT", 2)
    memories = await opened(url=peer.url, timeout_s=1.0, retry_s=0.0)
    peer.mode = "error"
    for order in range(4):
        await memories.remember([memory(order)])
    assert (memories.queued, memories.dropped) == (2, 2)
    assert caplog.text.count("from now on the oldest are dropped") == 1
    peer.mode = "ok"
    assert set(await seeds(memories)) == {"seed-2", "seed-3"}
    await memories.close()


async def test_a_closed_port_is_an_unreachable_bank(unused_tcp_port: int) -> None:
    memories = await opened(url=f"http://127.0.0.1:{unused_tcp_port}", timeout_s=1.0)
    assert not memories.available
    assert await recalled(memories) == []
    assert await memories.count() == 0
    await memories.close()


async def test_points_of_an_earlier_version_are_one_winner_each(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url)
    old = {"run": "run", "order": 0, "seed_id": "old", "pair": "a+x", "reward": 0.5, "worth": 0.5}
    point = models.PointStruct(id=str(uuid.uuid4()), vector=unit(1).tolist(), payload=old)
    await AsyncQdrantClient(url=peer.url, check_compatibility=False).upsert("memories", [point])
    await memories.remember([memory(1)])
    assert set(await recalled(memories)) == {
        ("old", "a+x", 0.5),
        ("seed-1", "a", 0.75),
        ("seed-1", "b", 0.25),
    }
    await memories.close()


async def test_seeds_of_one_call_make_each_other_redundant(peer: QdrantPeer) -> None:
    memories = await opened(url=peer.url, max_points=2)
    await memories.remember([memory(n, unit(1), a=0.9 - n / 20, b=0.0) for n in range(3)])
    assert set(await seeds(memories)) == {"seed-0", "seed-2"}
    await memories.close()


@pytest.mark.skipif(QDRANT_URL is None, reason="STARAGENTS_TEST_QDRANT_URL names no real Qdrant server")
async def test_a_real_server_stores_evicts_and_rewinds() -> None:
    url, name = QDRANT_URL, f"staragents-test-{uuid.uuid4()}"
    assert url is not None
    memories = server(
        collection=name, max_points=3, timeout_s=10.0, url=url, hnsw={"m": 8}, quantization=Quantization.int8
    )
    try:
        await memories.open(SIZE)
        for order, reward in enumerate([0.9, 0.1, 0.5, 0.5, 0.5, 0.9]):
            await memories.remember([memory(order, **{f"a{order}": reward, f"b{order}": 0.0})])
        assert set(await seeds(memories)) == {"seed-0", "seed-4", "seed-5"}
        await memories.rewind(4)
        assert set(await seeds(memories)) == {"seed-0", "seed-4"}
        await memories.close()
    finally:
        await AsyncQdrantClient(url=url).delete_collection(name)
