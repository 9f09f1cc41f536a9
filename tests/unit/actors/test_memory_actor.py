"""The memory actor: what a committed seed taught is recalled for the seeds after it."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors import memory
from actors.fake_embedder import FakeEmbedder
from actors.memory import MemoryActor
from staragents.base.errors import BadInput
from staragents.base.messages import Message
from staragents.base.records import Candidate
from staragents.config import MemoryConfig
from staragents.memory.memory import Taught
from staragents.run_directory.run_directory import RunDirectory
from tests.support.run_files import write_state

RIVER = "Name a long river in the west of France."
ANOTHER_RIVER = "Name a short river in the west of France."
SORTING = "Write a function that sorts numbers."


def actor(path: Path | None = None, **settings: Any) -> MemoryActor:
    config = MemoryConfig(embedder="fake", **settings)
    return MemoryActor(config, str(path) if path else None, "", "run")


def taught(order: int, seed_id: str, instruction: str, rewards: dict[str, float]) -> Taught:
    """The first pair won."""
    won = tuple(number == 0 for number in range(len(rewards)))
    return Taught(order, seed_id, instruction, tuple(rewards), tuple(rewards.values()), won)


async def test_outcomes_are_recalled_for_a_similar_seed_and_for_no_other() -> None:
    bank = actor(min_similarity=0.5)
    await bank.start()
    await bank.embed([("s0", RIVER), ("s1", ANOTHER_RIVER), ("s2", SORTING)])
    found = await bank.commit_and_recall([taught(0, "s0", RIVER, {"a+b": 0.75})], ("s1", ANOTHER_RIVER))
    assert (found.seed_ids, found.pairs, found.rewards.tolist()) == (("s0",), ("a+b",), [0.75])
    assert 0.5 <= found.similarities[0] < 1
    assert not await bank.commit_and_recall([], ("s2", SORTING))
    stats = await bank.stats()
    assert (stats["points"], stats["queries"], stats["hits"], stats["failures"]) == (1, 2, 1, 0)


async def test_a_seed_that_taught_nothing_is_not_recalled() -> None:
    bank = actor()
    await bank.embed([("s0", RIVER), ("s1", RIVER)])
    assert not await bank.commit_and_recall([taught(0, "s0", RIVER, {})], ("s1", RIVER))
    assert (await bank.stats())["points"] == 0


async def test_committed_vectors_are_dropped() -> None:
    bank = actor()
    await bank.embed([("s0", RIVER), ("s1", RIVER)])
    await bank.commit_and_recall([taught(0, "s0", RIVER, {"a+b": 0.5}), taught(1, "s1", RIVER, {})], None)
    assert bank._kept == {}


async def test_recall_waits_for_an_embedding_in_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    may_embed = threading.Event()
    plain = FakeEmbedder.embed

    def slow(self: FakeEmbedder, texts: list[str]) -> np.ndarray:
        may_embed.wait(10)
        return plain(self, texts)

    monkeypatch.setattr(FakeEmbedder, "embed", slow)
    bank = actor()
    await bank.start()
    embedding = asyncio.ensure_future(bank.embed([("s0", RIVER), ("s1", RIVER)]))
    await asyncio.sleep(0)
    turn = asyncio.ensure_future(
        bank.commit_and_recall([taught(0, "s0", RIVER, {"a+b": 0.5})], ("s1", RIVER))
    )
    await asyncio.sleep(0.05)
    assert not turn.done()
    may_embed.set()
    assert (await turn).pairs == ("a+b",)
    await embedding


async def test_an_embedder_that_fails_is_tried_again_and_then_fails_the_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is stored without its vector: the seed would be missing for the rest of the run."""

    def broken(self: FakeEmbedder, texts: list[str]) -> np.ndarray:
        raise RuntimeError("no memory left")

    turn = ([taught(0, "s0", RIVER, {"a+b": 0.5})], ("s1", RIVER))
    bank = actor()
    await bank.start()
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(FakeEmbedder, "embed", broken)
        await bank.embed([("s0", RIVER), ("s1", RIVER)])
        with pytest.raises(RuntimeError, match="no memory left"):
            await bank.commit_and_recall(*turn)
    assert "no memory left" in caplog.text
    assert (await bank.stats())["points"] == 0
    assert (await bank.commit_and_recall(*turn)).pairs == ("a+b",)
    assert await bank.rewind(0) == 1


async def test_a_restarted_actor_embeds_again_and_repeats_a_call(tmp_path: Path) -> None:
    turn = ([taught(0, "s0", RIVER, {"a+b": 0.5})], ("s1", ANOTHER_RIVER))
    before, after = actor(tmp_path), actor(tmp_path)
    await before.embed([("s0", RIVER), ("s1", ANOTHER_RIVER)])
    recalled = await before.commit_and_recall(*turn)
    await before.close()
    assert len(recalled) == 1
    assert (await after.commit_and_recall(*turn)).nearest() == recalled.nearest()
    assert (await after.stats())["points"] == 1
    await after.close()


async def test_vectors_of_seeds_that_are_never_committed_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_LIMIT", 2)
    bank = actor(min_similarity=-1.0)
    await bank.embed([("s0", RIVER), ("s1", SORTING), ("s2", RIVER), ("s3", RIVER)])
    assert set(bank._kept) == {"s2", "s3"}
    await bank.commit_and_recall(
        [
            taught(0, "s0", RIVER, {"late+x": 0.5}),
            taught(2, "s2", RIVER, {"kept+x": 0.5}),
        ],
        None,
    )
    assert set((await bank.commit_and_recall([], ("s3", RIVER))).pairs) == {"late+x", "kept+x"}


async def test_a_resumed_run_recalls_what_was_committed_before_its_checkpoint(tmp_path: Path) -> None:
    first = actor(tmp_path)
    await first.embed([(f"s{i}", RIVER) for i in range(3)])
    await first.commit_and_recall([taught(i, f"s{i}", RIVER, {f"{i}+x": 0.5}) for i in range(3)], None)
    await first.close()
    second = actor(tmp_path)
    assert (await second.start())["points"] == 3
    await second.rewind(1)
    await second.embed([("s9", RIVER)])
    assert set((await second.commit_and_recall([], ("s9", RIVER))).pairs) == {"0+x", "1+x"}
    await second.close()


async def test_an_actor_whose_embedder_is_loading_answers() -> None:
    assert (await actor().stats())["points"] == 0


async def test_starting_reports_the_embedder_and_marks_a_fake() -> None:
    assert await actor().start() == {"embedder": "fake", "size": 256, "bank": "local", "points": 0}


def test_fake_embeddings_are_unit_vectors_that_depend_on_words_alone() -> None:
    texts = [RIVER, RIVER.upper(), ANOTHER_RIVER, SORTING, "", "?!", "\ud800"]
    vectors = FakeEmbedder().embed(texts)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[4], vectors[5])
    assert vectors[0] @ vectors[2] > 0.7 > vectors[0] @ vectors[3]
    assert np.array_equal(FakeEmbedder().embed(texts[::-1])[::-1], vectors)


def earlier_run(folder: Path, *won: tuple[str, str, float]) -> RunDirectory:
    """A run directory with a chosen candidate for each (instruction, pair, reward), and a losing one."""
    run = RunDirectory(folder)
    run.candidates.mkdir(parents=True)
    rows = []
    for number, (instruction, pair, reward) in enumerate([*won, (RIVER, "loser+x", 0.9)]):
        seed = (Message("user", instruction), Message("assistant", "The Loire."))
        row = Candidate(f"s{number}", f"c{number}", pair, *pair.split("+"), 0.5, seed, seed)
        row.reward, row.selected = reward, pair != "loser+x"
        rows.append(row)
    write_state(folder, [run.write_shard("part-000000.parquet", rows)], len(rows))
    return run


async def test_outcomes_of_an_earlier_run_are_recalled_and_survive_a_rewind(tmp_path: Path) -> None:
    earlier_run(tmp_path / "old", (RIVER, "a+x", 0.75), (RIVER, "gone+x", 0.9), (SORTING, "b+x", 0.5))
    config = MemoryConfig(embedder="fake", reuse=[str(tmp_path / "old")], min_similarity=0.5)

    def new() -> MemoryActor:
        return MemoryActor(config, str(tmp_path / "bank"), "", "run", pairs=["a+x", "b+x"])

    for _ in range(2):  # started, and resumed
        bank = new()
        await bank.start()
        await bank.rewind(-1)
        await bank.embed([("new", ANOTHER_RIVER)])
        recalled = await bank.commit_and_recall([], ("new", ANOTHER_RIVER))
        assert (recalled.pairs, recalled.rewards.tolist()) == (("a+x",), [0.75])
        assert (await bank.stats())["points"] == 2
        await bank.commit_and_recall([taught(0, "s0", SORTING, {"a+x": 0.5})], None)
        await bank.close()


async def test_a_run_that_starts_anew_knows_nothing_of_what_a_discarded_one_reused(tmp_path: Path) -> None:
    for name, pair in (("old", "a+x"), ("other", "b+x")):
        earlier_run(tmp_path / name, (RIVER, pair, 0.75))

    def new(*reuse: str) -> MemoryActor:
        config = MemoryConfig(embedder="fake", reuse=[str(tmp_path / one) for one in reuse])
        return MemoryActor(config, str(tmp_path / "bank"), "", "run", pairs=["a+x", "b+x"])

    for reuse, anew, known in (
        (["old"], True, {"a+x"}),
        (["other"], True, {"b+x"}),
        (["other"], False, {"b+x"}),
        ([], True, set()),
    ):
        bank = new(*reuse)
        await bank.start(anew)
        assert await bank.rewind(-1) == await bank.known() == 0
        assert set((await bank.commit_and_recall([], ("new", ANOTHER_RIVER))).pairs) == known
        await bank.close()


async def test_reusing_with_an_unreachable_server_stops_before_the_run(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    earlier_run(tmp_path / "old", (RIVER, "a+x", 0.75))
    url = f"http://127.0.0.1:{unused_tcp_port}"
    config = MemoryConfig(embedder="fake", reuse=[str(tmp_path / "old")], url=url, timeout_s=1.0)
    with pytest.raises(BadInput, match=r"memory\.reuse: .* is unavailable"):
        await MemoryActor(config, None, "", "run", ["a+x"]).start()
