"""What a resumed run finds in its memory bank on a server, after outages, losses and discarded runs."""

from __future__ import annotations

import pytest

from staragents.memory.memory import Memory
from staragents.memory.stored_seeds import EVERYTHING, StoredSeeds
from tests.support.memory_banks import memory, of_earlier_run, opened, recalled, seeds, unit
from tests.support.qdrant_peer import QdrantPeer

pytestmark = pytest.mark.slow


def test_stored_seeds_are_known_up_to_the_first_that_is_missing() -> None:
    stored = StoredSeeds(reused=True).adding([-1, 0, 1, 3, 4])
    assert stored.first_missing == 2
    assert stored.adding([2]) == StoredSeeds(5, True)
    assert stored.until(3).adding([2]).first_missing == 4
    assert stored.until(0) == StoredSeeds(1, True)
    assert stored.until(-1) == StoredSeeds(0, True)
    assert stored.until(EVERYTHING) == StoredSeeds()
    assert stored.found_again(StoredSeeds(2, True)) == stored
    assert stored.found_again(StoredSeeds(3, True)).first_missing == 5
    assert stored.found_again(StoredSeeds(1)) == StoredSeeds(1), "the points were lost"


async def test_seeds_that_waited_for_the_server_when_the_run_stopped_are_missing(
    peer: QdrantPeer, caplog: pytest.LogCaptureFixture
) -> None:
    bank = await opened(url=peer.url, retry_s=0.0)
    await bank.remember([memory(0), Memory(1, "taught nothing")])
    peer.mode = "error"
    for order in range(2, 5):
        await bank.remember([memory(order)])
    await bank.close()
    assert f"memory bank {peer.url} lacks 3 seeds" in caplog.text
    peer.mode = "ok"
    again = await opened(url=peer.url)
    assert await again.rewind(4) == 2
    await again.remember([memory(order) for order in range(2, 5)])
    assert await seeds(again) == ["seed-0", "seed-2", "seed-3", "seed-4"]
    assert await again.rewind(4) == 5
    await again.close()
    assert caplog.text.count("lacks") == 1


async def test_seeds_dropped_from_a_full_queue_are_missing(
    peer: QdrantPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("staragents.memory.server_bank.QUEUE_LIMIT", 2)
    bank = await opened(url=peer.url, retry_s=0.0)
    peer.mode = "error"
    for order in range(4):
        await bank.remember([memory(order)])
    peer.mode = "ok"
    await bank.remember([memory(4)])
    assert await bank.known() == 0
    for order in range(3):
        await bank.remember([memory(order)])
    assert await bank.known() == 5
    await bank.close()


async def test_a_seed_that_was_evicted_is_not_missing(peer: QdrantPeer) -> None:
    bank = await opened(url=peer.url, max_points=1)
    await bank.remember([memory(0)])
    await bank.remember([memory(1, a=1.0, b=0.0)])
    await bank.close()
    again = await opened(url=peer.url, max_points=1)
    assert await again.rewind(1) == 2
    assert await seeds(again) == ["seed-1"]
    await again.close()


async def test_a_run_in_another_folder_and_one_without_its_collection_lack_everything(
    peer: QdrantPeer,
) -> None:
    bank = await opened(url=peer.url)
    await bank.remember([memory(0), memory(1)])
    await bank.close()
    moved = await opened(url=peer.url, run="moved")
    assert await moved.rewind(1) == 0
    await moved.close()
    await peer.lose("memories")
    again = await opened(url=peer.url)
    assert await again.rewind(1) == 0
    await again.close()


async def test_seeds_forgotten_by_a_rewind_stay_missing_after_a_kill(peer: QdrantPeer) -> None:
    first = await opened(url=peer.url)
    await first.remember([memory(order) for order in range(4)])
    second = await opened(url=peer.url)
    assert await second.rewind(1) == 2
    third = await opened(url=peer.url)
    assert await third.rewind(3) == 2
    for bank in (first, second, third):
        await bank.close()


async def test_whether_seeds_are_missing_is_unknown_without_the_server(peer: QdrantPeer) -> None:
    first = await opened(url=peer.url)
    await first.remember([memory(0), memory(1)])
    await first.close()
    peer.mode = "error"
    bank = await opened(url=peer.url, retry_s=0.0)
    assert await bank.rewind(3) is None
    await bank.remember([memory(4)])
    assert await bank.known() is None
    peer.mode = "ok"
    assert await bank.known() == 2
    await bank.remember([memory(2), memory(3)])
    assert await bank.known() == 5
    await bank.close()


async def test_reusing_again_changes_no_worth(peer: QdrantPeer) -> None:
    earlier = [of_earlier_run(number, unit(1, number / 4)) for number in range(5)]
    bank = await opened(url=peer.url)
    assert await bank.needs_earlier_runs()
    await bank.reuse(earlier)
    first = await peer.worths("memories")
    assert len(first) == 5
    assert first["A/0"] == 0.5
    assert not await bank.needs_earlier_runs()
    await bank.reuse(earlier)
    assert await peer.worths("memories") == first
    await bank.close()
    again = await opened(url=peer.url)
    assert not await again.needs_earlier_runs(), "those that were evicted would come back"
    await again.close()


async def test_a_seed_that_is_stored_again_does_not_make_itself_redundant(peer: QdrantPeer) -> None:
    bank = await opened(url=peer.url)
    several = [memory(order, unit(1, order / 4)) for order in range(5)]
    await bank.remember(several)
    first = await peer.worths("memories")
    await bank.remember(several)
    assert await peer.worths("memories") == first
    await bank.close()


async def test_a_run_that_starts_anew_knows_nothing_of_a_discarded_one(peer: QdrantPeer) -> None:
    discarded = await opened(url=peer.url)
    await discarded.reuse([of_earlier_run(0, unit(1))])
    await discarded.remember([memory(0)])
    await discarded.close()
    bank = await opened(url=peer.url)
    await bank.start_anew()
    assert await bank.needs_earlier_runs()
    assert await bank.rewind(-1) == 0
    assert (await bank.count(), await recalled(bank)) == (0, [])
    await bank.close()


async def test_a_run_that_starts_anew_without_its_server_forgets_the_discarded_one_later(
    peer: QdrantPeer,
) -> None:
    discarded = await opened(url=peer.url)
    await discarded.reuse([of_earlier_run(0, unit(1))])
    await discarded.close()
    peer.mode = "error"
    bank = await opened(url=peer.url, retry_s=0.0)
    await bank.start_anew()
    assert await bank.rewind(-1) is None
    await bank.remember([memory(0)])
    peer.mode = "ok"
    assert await seeds(bank) == ["seed-0"]
    await bank.close()
