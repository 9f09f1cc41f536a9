"""`staragents diagnose`: it finds what was planted, and nothing else."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from actors.fake_embedder import FakeEmbedder
from cluster.cli.diagnose import diagnose
from staragents.analysis import kinds, memory_gain
from staragents.analysis.certainty import Certainty, entropy
from staragents.analysis.certainty import findings as certainty_findings
from staragents.analysis.diagnosis import Diagnosis, Evidence
from staragents.analysis.memory_gain import MemoryGain
from staragents.analysis.one_pass import one_pass
from staragents.analysis.saved_run import SavedRun
from staragents.analysis.timeline import Snapshot, Timeline
from staragents.base.candidate_schema import candidates_table
from staragents.base.errors import BadInput
from staragents.base.messages import Message
from staragents.base.records import Candidate
from staragents.config import Cost
from staragents.evolution.policy import PairStats
from staragents.run_directory.shard_file import read_candidates
from staragents.validation.loading import load_config
from tests.support.local_run import local_run
from tests.support.paths import FAKE
from tests.support.run_files import write_manifest

WORDS = (
    "river mountain valley lake country border island coast",
    "python function loop variable string integer module class",
)
PLANT = {("deepen+careful", 0): 0.25, ("concretise+brief", 1): 0.25}


def planted(
    write: Callable[..., Path], plant: dict[tuple[str, int], float], seed: int, seeds: int = 240
) -> Path:
    """A run whose even seeds are about geography and odd ones about programming; `plant` adds to the rewards
    of a pair in one of them. deepen+careful is better everywhere."""
    folder = write(seeds=seeds, seeds_per_shard=seeds)
    (shard,) = (folder / "candidates").iterdir()
    rng = random.Random(seed)
    rows = list(read_candidates(shard))
    for row in rows:
        domain = row.seed_row % 2
        text = " ".join(random.Random(row.seed_row).sample(WORDS[domain].split(), 5))
        row.seed_messages = (Message("user", f"Tell me of {text}."), row.seed_messages[-1])
        if row.reward is not None:
            usual = 0.4 + 0.1 * (row.pair == "deepen+careful") + 0.1 * domain
            row.reward = min(max(rng.gauss(usual + plant.get((row.pair, domain), 0.0), 0.15), 0.0), 1.0)
    pq.write_table(candidates_table(rows), shard)
    return folder


def diagnosed(folder: Path) -> Diagnosis:
    run = SavedRun.open(folder)
    finished = run.summary["funnel"]["finished"]
    evidence = Evidence(run.config, run.summary["funnel"]["seeds"], finished)
    timeline = Timeline(run.config, run.summary["funnel"]["seeds"], finished)
    one_pass(run.folder.seeds(), evidence, timeline)
    return Diagnosis.of(run, evidence, timeline.snapshots, FakeEmbedder().embed)


def test_the_diagnosis_finds_exactly_what_was_planted(run_writer: Callable[..., Path]) -> None:
    found = diagnosed(planted(run_writer, PLANT, seed=1))
    stands_out = {(c["pair"], c["domain"]) for c in found.numbers["domains"]["cells"] if c["stands_out"]}
    names = [domain["name"] for domain in found.numbers["domains"]["domains"]]
    assert len(names) == 2
    (geography,) = [name for name in names if set(name.split(", ")) <= set(WORDS[0].split())]
    (programming,) = [name for name in names if set(name.split(", ")) <= set(WORDS[1].split())]
    assert stands_out == {("deepen+careful", geography), ("concretise+brief", programming)}
    said = [finding for finding in found.findings if "stands out" in finding]
    assert len(said) == 2
    assert all("memory." in finding for finding in said)


@pytest.mark.slow
def test_a_pair_that_is_better_everywhere_stands_out_nowhere(run_writer: Callable[..., Path]) -> None:
    """Twenty runs without a planted effect: Holm keeps the chance of any finding in a run below 5 %."""
    marked = 0
    for seed in range(20):
        cells = diagnosed(planted(run_writer, {}, seed, seeds=120)).numbers["domains"]["cells"]
        marked += any(cell["stands_out"] for cell in cells)
    assert marked <= 3


def test_the_command_prints_saves_and_completes_the_report(run_writer: Callable[..., Path]) -> None:
    folder = planted(run_writer, PLANT, seed=1)
    result = CliRunner().invoke(diagnose, [str(folder), "--embedder", "fake"], catch_exceptions=False)
    assert "deepen+careful stands out on instructions about" in " ".join(result.output.split())
    saved = json.loads((folder / "diagnosis.json").read_text())
    assert saved["domains"]["pairs"]
    page = (folder / "report.html").read_text()
    assert "stands out on instructions about" in page
    assert "How certain the policy is" in page
    as_json = CliRunner().invoke(diagnose, [str(folder), "--embedder", "fake", "--json"])
    assert json.loads(as_json.output) == saved


def test_an_outdated_diagnosis_is_not_shown(run_writer: Callable[..., Path]) -> None:
    folder = planted(run_writer, PLANT, seed=1)
    CliRunner().invoke(diagnose, [str(folder), "--embedder", "fake"], catch_exceptions=False)
    assert SavedRun.open(folder).diagnosis
    path = folder / "diagnosis.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seeds": 17}))
    write_manifest(folder)
    assert SavedRun.open(folder).diagnosis == {}


def test_domains_can_be_a_column_of_the_seeds(run_writer: Callable[..., Path], tmp_path: Path) -> None:
    folder = planted(run_writer, PLANT, seed=1)
    seeds = tmp_path / "seeds.jsonl"
    lines = [{"instruction": "x", "output": "y", "topic": ("geo", "code")[row % 2]} for row in range(1, 240)]
    seeds.write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = (folder / "config.yaml").read_text().replace("path: ''", f"path: {seeds}")
    (folder / "config.yaml").write_text(config)
    write_manifest(folder)
    result = CliRunner().invoke(diagnose, [str(folder), "--label", "topic"], catch_exceptions=False)
    said = " ".join(result.output.split())
    assert "deepen+careful stands out on instructions about geo" in said
    assert "concretise+brief stands out on instructions about code" in said
    page = (folder / "report.html").read_text()
    assert "kinds of instructions that a column of the seeds names" in page
    assert "named by their typical words" not in page
    with pytest.raises(BadInput, match=r"--label: expected a column of .*seeds\.jsonl, got 'nothing'"):
        CliRunner().invoke(diagnose, [str(folder), "--label", "nothing"], catch_exceptions=False)


def test_a_run_with_a_retired_agent_is_diagnosed_by_its_other_pairs(tmp_path: Path) -> None:
    """Nothing is known about pairs that were never drawn: what they would have earned was NaN, which can't be
    written."""
    settings = [
        f"output.dir={tmp_path}",
        "seeds.limit=60",
        "agents.retired=[broaden]",
        "memory.enabled=false",
    ]
    asyncio.run(local_run(load_config(FAKE, settings)))
    CliRunner().invoke(diagnose, [str(tmp_path)], catch_exceptions=False)
    worth = SavedRun.open(tmp_path).diagnosis["worth"]
    assert worth["seeds"] == 60
    assert 0 < worth["uniform"]["mean"] < 1
    assert not any("broaden" in kind["pair"] for kind in worth["kinds"])


def test_what_pairs_earn_is_what_the_policy_learns(run_writer: Callable[..., Path]) -> None:
    """Pairs with equal rewards, one of which takes ten times the tokens."""
    folder = run_writer(seeds=60)
    run = SavedRun.open(folder)
    run.config.reward.cost = Cost.tokens
    evidence = Evidence(run.config, 60, 60)
    for candidates in run.folder.seeds():
        for one in candidates:
            one.reward = 0.5
            one.tokens_in, one.tokens_out = (1000 if one.pair == "deepen+careful" else 100), 0
        evidence.add_seed(candidates)
    last = evidence.sample[-1]
    assert set(last.rewards.values()) == {0.5}
    dear = [seed.learned["deepen+careful"] for seed in evidence.sample if "deepen+careful" in seed.learned]
    cheap = [
        seed.learned["concretise+brief"] for seed in evidence.sample if "concretise+brief" in seed.learned
    ]
    assert max(dear[5:]) < min(cheap[5:])
    said = Diagnosis.of(run, evidence, [], FakeEmbedder().embed).numbers["worth"]["said"]
    assert said[-1].endswith("what the policy learns: reward / (1 + tokens / mean tokens).")


class RecallMovesEveryDraw:
    """In place of `DrawHistory`: without recall, other pairs would have been drawn."""

    def probabilities(self, candidates: list[Candidate], with_memory: bool = True) -> dict[str, float]:
        if not with_memory:
            return {"other+pair": sum(one.propensity for one in candidates)}
        return {one.pair: one.propensity for one in candidates} | {"other+pair": 0.0}

    def add_seed(self, candidates: list[Candidate]) -> None: ...


@pytest.mark.parametrize("cost", Cost)
def test_draws_without_a_reward_are_draws(run_writer: Callable[..., Path], cost: Cost) -> None:
    run = SavedRun.open(run_writer(seeds=20))
    run.config.reward.cost = cost
    evidence = Evidence(run.config, 20, 20)
    evidence._draws = RecallMovesEveryDraw()  # type: ignore[assignment]
    for candidates in run.folder.seeds():
        for number, one in enumerate(candidates):
            one.base, one.propensity, one.reward = False, 1.0, None if number else 0.5
        evidence.add_seed(candidates)
    assert len(candidates) > 1
    assert evidence.memory.summary()["moved"] == pytest.approx(1.0)


def standing(pair: str, probability: float, low: float, high: float) -> PairStats:
    return PairStats(pair, probability, (low + high) / 2, low, high, 5)


def test_entropy_is_1_for_uniform_draws_and_0_for_one_pair() -> None:
    even = [standing(pair, 0.25, 0.0, 1.0) for pair in "abcd"]
    assert entropy(even) == pytest.approx(1.0)
    assert entropy([standing("a", 1.0, 0, 1), standing("b", 0.0, 0, 1)]) == 0.0
    assert entropy(even[:1]) is None


@pytest.mark.parametrize(
    ("seeds", "rival_high", "expected"), [(10, 0.9, True), (10, 0.3, False), (60, 0.9, False)],
    ids=["early and open", "early and decided", "late"],
)  # fmt: skip
def test_a_lock_in_is_early_and_undecided(seeds: int, rival_high: float, expected: bool) -> None:
    rest = [standing(pair, 0.01, 0.1, rival_high) for pair in "bcd"]
    snapshots = [
        Snapshot(1, [standing(pair, 0.25, 0.0, 1.0) for pair in "abcd"]),
        Snapshot(seeds, [standing("a", 0.97, 0.4, 0.6), *rest]),
        Snapshot(100, [standing("a", 0.97, 0.4, 0.6), *rest]),
    ]
    numbers = Certainty().summary(snapshots)
    assert (numbers["locked_in"] is not None) is expected
    said = list(certainty_findings(numbers, "thompson"))
    assert [finding.startswith("early lock-in") for finding in said] == [True] * expected


def row(pair: str, reward: float, neighbours: int = 0, base: bool = False) -> Candidate:
    return Candidate("s", "c", pair, "", "", 1.0, (), reward=reward, neighbours=neighbours, base=base)


@pytest.mark.parametrize("signal", [0.3, 0.0])
def test_a_noisy_ranking_is_reported_as_noise(signal: float) -> None:
    rng, sure = np.random.default_rng(0), Certainty()
    for _ in range(400):
        sure.add_seed(
            [row(pair, signal * index / 8 + rng.normal(0.4, 0.1)) for index, pair in enumerate("abcdefgh")]
        )
    agreement = sure.summary([])["agreement"]
    assert agreement > 0.9 if signal else agreement < 0.8
    assert not (signal and list(certainty_findings(sure.summary([]), "thompson")))


@pytest.mark.parametrize(("gain", "expected"), [(0.2, []), (-0.2, ["earned less"]), (0.0, ["no measurable"])])
def test_what_memory_earned_is_told_from_the_draws_it_changed(gain: float, expected: list[str]) -> None:
    """Recall raises pair a from 1/2 to 3/4; it earns `gain` more than pair b."""
    rng, memory = np.random.default_rng(0), MemoryGain()
    p, q = {"a": 0.75, "b": 0.25}, {"a": 0.5, "b": 0.5}
    for number in range(1000):
        pair = "a" if rng.random() < 0.75 else "b"
        reward = rng.normal(0.5 + gain * (pair == "a"), 0.1)
        memory.add_seed(number, [row(pair, reward), row("c", 0.0, base=True)], p, q)
    numbers = memory.summary()
    low, high = numbers["interval_95"]
    assert low < gain / 4 < high
    assert high - low < 0.02
    assert numbers["moved"] == 0.25
    said = list(memory_gain.findings(numbers))
    assert len(said) == len(expected)
    assert all(words in finding for words, finding in zip(expected, said, strict=True))
    assert "Memory moved 25% of the draws of 1000 seeds" in memory_gain.sentence(numbers)


def test_memory_that_changed_nothing_says_so() -> None:
    memory = MemoryGain()
    memory.add_seed(0, [row("a", 0.5)], {"a": 1.0}, {"a": 1.0})
    assert memory_gain.sentence(memory.summary()) == "Memory changed no draw."
    memory.add_seed(1, [row("a", 0.5)], {"a": 0.9, "b": 0.1}, {"a": 0.8, "b": 0.2})
    assert "too few seeds" in memory_gain.sentence(memory.summary())
    assert list(memory_gain.findings(memory.summary())) == []


def test_rare_labels_join_seeds_that_are_labelled_other() -> None:
    labels, names = kinds.by_label(["a"] * 15 + ["other"] * 12 + ["rare"] * 3)
    assert names == ["a", "other"]
    assert labels.tolist() == [0] * 15 + [1] * 15
    labels, names = kinds.by_label(["a"] * 15 + ["rare"] * 3)
    assert (names, labels.tolist()) == (["a", "other"], [0] * 15 + [1] * 3)


def test_texts_without_words_still_get_domains() -> None:
    assert kinds.named(["!!", "??"], np.array([0, 1])) == ["domain 1", "domain 2"]
