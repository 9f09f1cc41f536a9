"""What the shards of runs say that a bank should hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.base.messages import Message
from staragents.base.records import Candidate
from staragents.config import Cost, Keep, MemoryConfig
from staragents.memory.recorded import of_earlier_runs, recorded
from staragents.run_directory.run_directory import RunDirectory
from tests.support.run_files import write_state


def candidate(seed: int, pair: str, reward: float | None, won: bool = False, base: bool = False) -> Candidate:
    row = (Message("user", f"Question {seed}?"), Message("assistant", "Answer."))
    made = Candidate(f"s{seed}", f"c{seed}{pair}", pair, *pair.split("+"), 0.5, row, row, base=base)
    made.reward, made.selected, made.tokens_in = reward, won, 100 * (1 + len(pair) % 2)
    return made


def run_of(folder: Path, *seeds: list[Candidate]) -> RunDirectory:
    run = RunDirectory(folder)
    run.candidates.mkdir(parents=True)
    rows = [one for candidates in seeds for one in candidates]
    write_state(folder, [run.write_shard("part-000000.parquet", rows)], len(seeds))
    return run


SEEDS = (
    [candidate(0, "base+x", 0.9, base=True), candidate(0, "a+x", 0.5, won=True), candidate(0, "b+x", 0.0)],
    [candidate(1, "base+x", 0.9, won=True, base=True), candidate(1, "a+x", None)],
    [candidate(2, "a+x", 0.25), candidate(2, "c+xy", 0.75, won=True)],
)


def test_every_seed_is_there_with_what_its_policy_learnt(tmp_path: Path) -> None:
    run = run_of(tmp_path, *SEEDS)
    first, second, third = recorded(run, MemoryConfig(), Cost.none)
    assert (first.order, first.seed_id, first.instruction) == (0, "s0", "Question 0?")
    assert (first.pairs, first.rewards, first.won) == (("a+x", "b+x"), (0.5, 0.0), (True, False))
    assert (second.order, second.pairs) == (1, ()), "failed candidates and base pairs teach nothing"
    assert third.rewards == (0.25, 0.75)
    assert [one.order for one in recorded(run, MemoryConfig(), Cost.none, start=2)] == [2]


def test_of_winners_only_those_above_the_least_reward(tmp_path: Path) -> None:
    run = run_of(tmp_path, *SEEDS)
    found = recorded(run, MemoryConfig(keep=Keep.winners, min_reward=0.5), Cost.none)
    assert [one.pairs for one in found] == [(), (), ("c+xy",)]


def test_costs_count_from_the_first_seed_wherever_reading_starts(tmp_path: Path) -> None:
    run = run_of(tmp_path, *SEEDS)
    whole = list(recorded(run, MemoryConfig(), Cost.tokens))
    assert list(recorded(run, MemoryConfig(), Cost.tokens, start=1)) == whole[1:]
    assert whole[2].rewards != (0.25, 0.75)


def test_of_earlier_runs_the_seeds_that_tell_most_about_this_runs_pairs(tmp_path: Path) -> None:
    run_of(tmp_path / "one", *SEEDS)
    run_of(tmp_path / "two", [candidate(0, "a+x", 0.5), candidate(0, "b+x", 0.4)])
    config = MemoryConfig(reuse=[str(tmp_path / "one"), str(tmp_path / "two")], max_points=2)
    found = of_earlier_runs({"a+x", "b+x"}, config, Cost.none)
    assert [one.order for one in found] == [-1, -1]
    assert {one.rewards for one in found} == {(0.5, 0.0), (0.25,)}
    assert len({one.seed_id for one in found}) == 2
    config.max_points = 9
    assert len(of_earlier_runs({"a+x", "b+x"}, config, Cost.none)) == 3
    assert of_earlier_runs({"new+x"}, config, Cost.none) == []


def test_reusing_a_folder_without_candidates_is_bad_input(tmp_path: Path) -> None:
    config = MemoryConfig(reuse=[str(tmp_path / "nothing")])
    with pytest.raises(BadInput, match=r"memory\.reuse: expected a run directory, got .*nothing"):
        of_earlier_runs([], config, Cost.none)
