"""The memory bank in a folder: recall, size bound, rewind, kills."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.memory import storage
from tests.support.memory_banks import bank, memory, opened, recalled, unit
from tests.support.paths import ROOT


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
