"""The memory bank in a folder: recall, size bound, rewind, kills."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from staragents.base.errors import BadInput, RunFailed
from staragents.config import Keep
from staragents.memory import local_bank
from staragents.memory.local_bank import FILE, LocalBank
from staragents.memory.memory import Memory
from tests.support.memory_banks import local, memory, recalled, seeds, unit
from tests.support.memory_banks import settings as memory_settings
from tests.support.paths import ROOT


async def test_all_outcomes_of_a_seed_are_recalled_together_the_most_similar_seed_first() -> None:
    bank = await local()
    await bank.remember([memory(0, unit(1, 0.1), a=0.25, b=0.0), memory(1, unit(1), c=0.75)])
    found = await bank.recall(unit(1))
    assert found.seed_ids == ("seed-1", "seed-0", "seed-0")
    assert found.pairs == ("c", "a", "b")
    assert found.rewards.tolist() == [0.75, 0.25, 0.0]
    assert found.won.tolist() == [True, True, False]
    assert found.similarities.tolist() == [1.0, *[round(1 / np.sqrt(1.01), 6)] * 2]


async def test_nothing_below_the_threshold_is_recalled_and_no_more_seeds_than_wanted() -> None:
    bank = await local(min_similarity=0.5, neighbours=1)
    await bank.remember([memory(0, unit(1, 0.1)), memory(1, unit(0, 1)), memory(2, unit(1))])
    assert await seeds(bank) == ["seed-2"]
    assert await seeds(bank, unit(0, 0, 1)) == []
    assert (bank.queries, bank.hits) == (2, 1)


async def test_an_empty_bank_recalls_nothing() -> None:
    found = await (await local()).recall(unit(1))
    assert len(found) == len(found.rewards) == len(found.similarities) == 0


async def test_a_seed_that_is_sent_again_counts_once() -> None:
    bank = await local()
    for _ in range(2):
        await bank.remember([memory(0)])
    assert await bank.count() == 1
    await bank.remember([memory(0), memory(1)])
    assert await bank.count() == 2


async def test_a_seed_that_taught_nothing_is_known_and_never_recalled(tmp_path: Path) -> None:
    bank = await local(str(tmp_path))
    await bank.remember([Memory(0, "nothing"), memory(1)])
    assert await seeds(bank) == ["seed-1"]
    assert await bank.rewind(9) == 2
    assert await bank.count() == 1
    await bank.close()


async def test_a_full_bank_keeps_the_seeds_that_tell_pairs_apart_and_of_equals_the_latest() -> None:
    bank = await local(max_points=3)
    everywhere = [unit(1), unit(0, 1), unit(0, 0, 1), unit(0, 0, 0, 1), unit(-1), unit(0, -1)]
    rewards = [(0.9, 0.9), (0.9, 0.1), (0.5, 0.1), (0.0, 0.0), (0.5, 0.1), (0.9, 0.1)]
    for order, (where, (a, b)) in enumerate(zip(everywhere, rewards, strict=True)):
        await bank.remember([memory(order, where, a=a, b=b)])
    assert {one.order for one in await bank.memories()} == {1, 4, 5}


async def test_a_seed_is_redundant_near_another_on_which_the_same_pairs_earned_about_the_same() -> None:
    bank = await local(max_points=3)
    await bank.remember([memory(0, unit(1), a=0.9, b=0.1)])
    await bank.remember([memory(1, unit(1, 0.01), a=0.85, b=0.1)])  # says the same
    await bank.remember([memory(2, unit(1, 0.01), a=0.1, b=0.9)])  # contradicts it
    await bank.remember([memory(3, unit(1, 0.01), c=0.9, d=0.1)])  # is about other pairs
    assert {one.order for one in await bank.memories()} == {0, 2, 3}


async def test_a_bank_of_winners_keeps_large_and_novel_rewards() -> None:
    bank = await local(max_points=3, keep=Keep.winners)
    await bank.remember([memory(0, unit(1), a=0.9)])
    await bank.remember([memory(1, unit(1, 0.01), a=0.8)])  # the same pair on the same instruction
    await bank.remember([memory(2, unit(1), b=0.3)])  # another pair there
    await bank.remember([memory(3, unit(0, 1), a=0.2)])  # the same pair elsewhere
    assert sorted(one.rewards[0] for one in await bank.memories()) == [0.2, 0.3, 0.9]


async def test_a_full_bank_is_cleared_in_batches() -> None:
    bank = await local(max_points=200)
    rng = np.random.default_rng(0)
    vectors = [vector / np.linalg.norm(vector) for vector in rng.normal(size=(203, 4)).astype(np.float32)]
    await bank.remember([memory(order, vectors[order], a=order / 1000, b=0.0) for order in range(202)])
    assert await bank.count() == 202
    await bank.remember([memory(202, vectors[202], a=0.9, b=0.0)])
    assert await bank.count() == 200


LESSON = st.tuples(st.integers(0, 3), st.integers(-2, 2), st.floats(0, 1), st.floats(0, 1))
LESSONS = st.lists(LESSON, min_size=1, max_size=30)


def lessons(drawn: list[tuple[int, int, float, float]]) -> list[Memory]:
    return [memory(n, unit(x + 0.5, y), a=r, b=s) for n, (x, y, r, s) in enumerate(drawn)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=LESSONS, kept=st.integers(-1, 30), most=st.integers(1, 12))
def test_a_rewound_bank_is_the_bank_as_it_was_evictions_included(
    drawn: list[tuple[int, int, float, float]], kept: int, most: int
) -> None:
    async def both() -> None:
        taught = lessons(drawn)
        rewound, never_went_on = await local(max_points=most), await local(max_points=most)
        await rewound.remember(taught)
        assert await rewound.rewind(kept) == min(len(taught), kept + 1)
        for one in taught[: kept + 1]:
            await never_went_on.remember([one])
        for bank in (rewound, never_went_on):
            assert await bank.count() <= most
        assert await recalled(rewound) == await recalled(never_went_on)
        await rewound.remember(taught)
        await never_went_on.remember(taught)
        assert await recalled(rewound) == await recalled(never_went_on)

    asyncio.run(both())


async def test_a_moved_folder_is_the_same_bank(tmp_path: Path) -> None:
    first = await local(str(tmp_path / "a"))
    await first.remember([memory(0)])
    await first.close()
    (tmp_path / "a").rename(tmp_path / "b")
    moved = await local(str(tmp_path / "b"))
    assert await moved.count() == 1
    assert await moved.rewind(-1) == 0
    assert await moved.count() == 0
    await moved.close()


async def test_equal_similarities_come_in_the_same_order_after_reopening(tmp_path: Path) -> None:
    first = await local(str(tmp_path), neighbours=3)
    await first.remember([memory(order, unit(1)) for order in range(6)])
    before = await seeds(first)
    await first.close()
    second = await local(str(tmp_path), neighbours=3)
    assert await seeds(second) == before == ["seed-5", "seed-4", "seed-3"]
    await second.close()


async def test_another_vector_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    await (await local(str(tmp_path))).close()
    with pytest.raises(BadInput, match=r"memory\.embedder: expected vectors of size 4, .* got 8"):
        await local(str(tmp_path), size=8)
    # The refused bank has released the folder.
    await (await local(str(tmp_path))).close()


async def test_another_rule_of_what_to_keep_starts_anew(tmp_path: Path) -> None:
    first = await local(str(tmp_path))
    await first.remember([memory(0)])
    await first.close()
    second = await local(str(tmp_path), keep=Keep.winners)
    assert await second.rewind(0) == 0, "the run's shards fill it again"
    await second.close()


async def test_a_bank_is_read_while_another_process_writes_it(tmp_path: Path) -> None:
    writer = await local(str(tmp_path))
    await writer.remember([memory(0)])
    before = (tmp_path / FILE).read_bytes()
    with (tmp_path / FILE).open("ab") as file:
        file.write(b"half a record")
    reader = LocalBank(memory_settings(), str(tmp_path), read_only=True)
    await reader.open(4)
    assert await seeds(reader) == ["seed-0"]
    await reader.close()
    assert (tmp_path / FILE).read_bytes() == before + b"half a record"
    await writer.close()


async def test_a_seed_after_a_gap_is_dropped_so_that_the_shards_can_fill_it(tmp_path: Path) -> None:
    bank = await local(str(tmp_path))
    await bank.remember([memory(0), memory(1), memory(3)])
    assert await bank.rewind(3) == 2
    await bank.close()


async def test_earlier_runs_survive_a_rewind_and_are_complete_or_absent(tmp_path: Path) -> None:
    earlier = [Memory(-1, f"old/{n}", ("a",), (0.5,), (True,), unit(1, n)) for n in range(3)]

    class Killed(Exception):
        pass

    def cut_off() -> object:
        yield from earlier[:2]
        raise Killed

    bank = await local(str(tmp_path))
    with pytest.raises(Killed):
        await bank.reuse(cut_off())  # type: ignore[arg-type]
    await bank.close()
    bank = await local(str(tmp_path))
    assert await bank.needs_earlier_runs()
    await bank.reuse(earlier)
    await bank.remember([memory(0)])
    await bank.close()
    bank = await local(str(tmp_path))
    assert not await bank.needs_earlier_runs()
    assert await bank.rewind(-1) == 0
    assert await seeds(bank) == ["old/0", "old/1", "old/2"]
    await bank.close()


WRITER = """
import asyncio, sys
from tests.support.memory_banks import local, memory

async def main():
    bank = await local(sys.argv[1], max_points=40)
    for order in range(await bank.rewind(10**6), 10**6):
        await bank.remember([memory(order)])
        print(order, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_bank_whose_process_was_killed_has_all_that_was_acknowledged(tmp_path: Path) -> None:
    rng = random.Random(0)
    known = 0
    for _ in range(4):
        stop = known + rng.randrange(1, 60)
        command = [sys.executable, "-c", WRITER, str(tmp_path / "bank")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
            assert writer.stdout is not None
            for line in writer.stdout:
                known = int(line) + 1
                if known >= stop:
                    os.kill(writer.pid, signal.SIGKILL)
                    break
            for line in writer.stdout:
                known = int(line) + 1
        shutil.copytree(tmp_path / "bank", tmp_path / "copy", dirs_exist_ok=True)
        again = await local(str(tmp_path / "copy"), max_points=40)
        assert known <= await again.rewind(10**6) <= known + 1
        assert await again.rewind(known - 2) == known - 1
        never_killed = await local(max_points=40)
        await never_killed.remember([memory(order) for order in range(known - 1)])
        assert await recalled(again) == await recalled(never_killed)
        await again.close()


async def test_a_folder_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_bank, "LOCK_WAIT_S", 0.0)
    holder = await local(str(tmp_path))
    with pytest.raises(BadInput, match="in use by another process"):
        await local(str(tmp_path))
    await holder.close()


async def test_a_folder_that_can_not_be_written_to_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFailed, match=r"the memory bank failed \(.*run the same command to resume"):
        await local(str(tmp_path / "file" / "bank"))
