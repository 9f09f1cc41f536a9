"""Policies on a recorded table and on a finished run's candidates."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cluster.cli.replay_settings import settings
from staragents.analysis.saved_run import SavedRun
from staragents.base.errors import BadInput
from staragents.base.records import Candidate
from staragents.config import AgentConfig, AgentsConfig, Config, EvolutionConfig, PolicyName, RunConfig
from staragents.evolution.choice import make_policy
from staragents.evolution.policy import NO_CONTEXT
from staragents.replay.off_policy import estimate
from staragents.replay.order import Plan
from staragents.replay.recorded_table import RecordedTable
from staragents.replay.replay import Table, replay_tables
from tests.support.paths import SHARED
from tests.support.program import staragents
from tests.support.replays import replay_table

pytestmark = pytest.mark.slow

REPLAY = SHARED / "replay" / "recorded_agents.jsonl.gz"
AGENTS = ["alpha", "beta", "gamma", "delta"]


def two_domains(rows: int = 200) -> list[dict]:
    """Alpha is best about cooking, beta about ships; the others are never good."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(rows):
        cooking = number % 2 == 0
        win = {
            "alpha": 0.8 if cooking else 0.2,
            "beta": 0.2 if cooking else 0.8,
            "gamma": 0.3,
            "delta": 0.1,
        }
        topic = "cook soup with salt in a pot" if cooking else "sail a ship with ropes on the sea"
        made.append(
            {
                "instruction": f"{topic} number {number}",
                "win": {
                    agent: min(max(mean + float(rng.normal(0, 0.1)), 0.0), 1.0) for agent, mean in win.items()
                },
                "response": {"alpha": "x"},
                "note": "keys nobody asked for are fine",
            }
        )
    return made


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def call(rows: list, name: str = "table.jsonl") -> Path:
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return call


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ("{", ":2: expected a JSON object"),
        ("", ":2: expected a JSON object"),
        ([1], ":2: expected a JSON object"),
        ({"win": {"a": 0.5}}, ":2:instruction: expected a text, got nothing"),
        ({"instruction": " ", "win": {"a": 0.5, "b": 0.5}}, ":2:instruction: expected a text"),
        ({"instruction": "x"}, ":2:win: expected an object of agents, got nothing"),
        ({"instruction": "x", "win": {}}, ":2:win: expected an object of agents"),
        ({"instruction": "x", "win": {"a": 0.5}}, ":2:win: expected the 2 agents of the first row, got no b"),
        ({"instruction": "x", "win": {"a": 0.5, "b": 0, "c": 1}}, "got c too"),
        ({"instruction": "x", "win": {"a": 1.5, "b": 0}}, ":2:win.a: expected a number from 0 to 1, got 1.5"),
        (
            {"instruction": "x", "win": {"a": None, "b": 0}},
            ":2:win.a: expected a number from 0 to 1",
        ),
        (
            {"instruction": "x", "win": {"a": True, "b": 0}},
            ":2:win.a: expected a number from 0 to 1",
        ),
        (
            {"instruction": "x", "win": {"a": math.nan, "b": 0}},
            "to 1, got nan",
        ),
    ],
)
def test_a_bad_row_is_named_by_file_row_and_field(write, bad, expected: str) -> None:
    path = write([{"instruction": "x", "win": {"a": 0, "b": 1}}, bad])
    with pytest.raises(BadInput) as raised:
        RecordedTable.read(path)
    assert str(raised.value).startswith(str(path))
    assert expected in str(raised.value)


def test_an_empty_table_and_a_broken_archive_are_refused(write, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="at least one row"):
        RecordedTable.read(write([]))
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"\x1f\x8bnot really")
    with pytest.raises(BadInput, match=r"broken\.gz"):
        RecordedTable.read(broken)


def test_the_references_are_what_the_table_says(write) -> None:
    rows = [
        {"instruction": "one", "win": {"a": 1.0, "b": 0.0, "c": 0.5}},
        {"instruction": "two", "win": {"a": 0.8, "b": 0.9, "c": 0.1}},
    ]
    table = RecordedTable.read(write(rows, "t.jsonl.gz"))
    result = replay_table(table, Config(), draws=2, passes=1, orders=3)
    assert result.bounds.uniform == pytest.approx(3.3 / 6)
    assert result.bounds.fixed_agents == ("a", "b")
    assert result.bounds.fixed == pytest.approx(2.7 / 4)
    assert result.bounds.each == pytest.approx(3.2 / 4)
    assert result.beyond_uniform.mean == pytest.approx(result.mean - result.bounds.uniform)
    assert result.beyond_fixed.mean == pytest.approx(result.mean - result.bounds.fixed)


def test_a_replay_repeats_itself_and_uniform_earns_the_mean(write) -> None:
    table = RecordedTable.read(write(two_domains()))
    config = Config(evolution=EvolutionConfig(policy=PolicyName.uniform))
    one, other = (replay_table(table, config, 2, 1, 10) for _ in range(2))
    assert one == other
    assert one.half_width is not None
    assert one.mean == pytest.approx(one.bounds.uniform, abs=3 * one.half_width)


@pytest.mark.parametrize("policy", [n for n in PolicyName if n is not PolicyName.uniform])
def test_every_learning_policy_beats_uniform(write, policy: PolicyName) -> None:
    rows = [{"instruction": str(n), "win": {"a": 0.7, "b": 0.3, "c": 0.2, "d": 0.1}} for n in range(300)]
    config = Config(evolution=EvolutionConfig(policy=policy, rate=20.0))
    result = replay_table(RecordedTable.read(write(rows)), config, 1, 1, 5)
    assert result.mean > result.bounds.uniform + 0.05


def vectors_of(table: RecordedTable) -> np.ndarray:
    from actors.fake_embedder import FakeEmbedder

    return FakeEmbedder().embed(table.instructions)


def test_memory_finds_the_plant_and_shuffled_embeddings_do_no_harm(write) -> None:
    table = RecordedTable.read(write(two_domains(400)))
    vectors = vectors_of(table)
    shuffled = vectors[np.random.default_rng(0).permutation(len(vectors))]
    without = replay_table(table, Config(), 1, 1, 10)
    true = replay_table(table, Config(), 1, 1, 10, vectors)
    false = replay_table(table, Config(), 1, 1, 10, shuffled)
    assert without.half_width is not None
    assert true.mean > without.mean + 0.05
    assert false.mean > without.mean - without.half_width - 0.01


def test_memory_on_is_compared_with_the_same_orders_without_it(write) -> None:
    table = RecordedTable.read(write(two_domains(100)))
    without = replay_table(table, Config(), 1, 1, 4)
    result = replay_table(table, Config(), 1, 1, 4, vectors_of(table))
    assert (without.memory, without.beyond_no_memory, result.memory) == ("off", None, "on")
    assert result.beyond_no_memory is not None
    assert result.beyond_no_memory.mean == pytest.approx(result.mean - without.mean)


def test_several_processes_give_the_result_of_one(write, monkeypatch) -> None:
    monkeypatch.setattr("staragents.replay.workers.MIN_TURNS", 100)
    tables = [RecordedTable.read(write(two_domains(rows), f"{rows}.jsonl")) for rows in (60, 80)]
    given = [Table(table, vectors_of(table)) for table in tables]
    configs = [Config(), Config(evolution=EvolutionConfig(policy=PolicyName.ucb))]
    one, two = (replay_tables(given, configs, Plan(orders=3), processes) for processes in (1, 2))
    assert one == two
    assert [(result.table, result.policy) for result in one] == [
        (f"{rows}.jsonl", policy) for rows in (60, 80) for policy in ("thompson", "ucb")
    ]


def test_the_command_prints_tables_by_policies_and_draws_the_chart(
    write, tmp_path, monkeypatch, capsys
) -> None:
    paths = [str(write(two_domains(rows), f"{rows}.jsonl")) for rows in (60, 40)]
    chart = tmp_path / "chart.html"
    options = ["--policies", "uniform,ucb", "--no-memory", "--orders", "3", "--chart", str(chart)]
    assert staragents(monkeypatch, "replay", *paths, *options) == 0
    printed = capsys.readouterr().out
    for line in ("60.jsonl: 4 agents, 60 instructions", "40.jsonl: 4 agents", "vs uniform", "gap closed"):
        assert line in printed
    assert "best 2 agents, fixed *" in printed
    assert "known only afterwards" in printed
    assert printed.count("\n  ucb ") == 2
    page = chart.read_text(encoding="utf-8")
    assert "Plotly.newPlot" in page
    assert 'id="chart1"' in page
    options = ["--seeds", "2", "--json", "memory.embedder=fake"]
    assert staragents(monkeypatch, "replay", paths[0], *options) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert (result["policy"], result["memory"], result["agents"]) == ("thompson", "on", 4)
    assert result["beyond_no_memory"]["half_width"] >= 0


def test_the_paper_is_replayed_by_its_own_rules_unless_a_setting_says_otherwise() -> None:
    paper, other = settings((), "paper"), settings(("memory.neighbours=3",), "paper")
    assert (paper.memory.keep, paper.memory.neighbours, paper.evolution.credit) == ("winners", 10, "winner")
    assert (other.memory.keep, other.memory.neighbours) == ("winners", 3)
    assert settings((), "thompson").memory == Config().memory


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["no-such.jsonl"], "no-such.jsonl"),
        (["TABLE", "--draws", "9"], "--draws: expected at most 4"),
        (["TABLE", "evolution.floor=0.9"], "evolution.floor: expected 0 to 0.1, got 0.9"),
        (["TABLE", "evolution.credit=winner"], "evolution.credit: expected all, as thompson learns from"),
        (["TABLE", "seeds.limit=3"], "seeds.limit=3: expected evolution.KEY=VALUE"),
        (["TABLE", "evolution.draws=3"], "evolution.draws=3: expected --draws for a table"),
        (["TABLE", "--policies", "ucb,best"], "--policies: expected some of uniform, paper"),
        (["TABLE", "no-such.jsonl"], "no-such.jsonl: expected a table"),
        (["evolution.floor=0.1"], "got only settings"),
        (["TABLE", "reward.cost=tokens"], "reward.cost expects the object tokens, cost or response"),
    ],
)
def test_bad_arguments_exit_with_code_two(write, monkeypatch, capsys, arguments, expected: str) -> None:
    path = str(write(two_domains(4)))
    assert staragents(monkeypatch, "replay", *[path if a == "TABLE" else a for a in arguments]) == 2
    assert expected in capsys.readouterr().err


def config_of(pairs: list[str], policy: PolicyName) -> Config:
    """A config with these pairs, whose draws know all earlier seeds."""
    agents = AgentsConfig(
        instruction={pair.partition("+")[0]: AgentConfig(prompt="keep") for pair in pairs},
        response={"x": AgentConfig(prompt="answer")},
    )
    evolution = EvolutionConfig(policy=policy, draws=2)
    return Config(agents=agents, evolution=evolution, run=RunConfig(admitted_seeds=1))


def logged_run(seeds: int, means: dict[str, float]) -> list[list[Candidate]]:
    """Two uniform draws a seed."""
    pairs = list(means)
    policy = make_policy(EvolutionConfig(policy=PolicyName.uniform), pairs, seeds)
    rng = np.random.default_rng(0)
    run = []
    for number in range(seeds):
        group = []
        for one in policy.draw(2, number, NO_CONTEXT):
            left, _, right = one.pair.partition("+")
            candidate = Candidate(
                str(number), f"{number}{one.pair}", one.pair, left, right, one.propensity, ()
            )
            candidate.reward = float(np.clip(means[one.pair] + rng.normal(0, 0.1), 0, 1))
            group.append(candidate)
        run.append(group)
    return run


def test_off_policy_estimates_agree_with_running_the_policy() -> None:
    means = {"a+x": 0.7, "b+x": 0.5, "c+x": 0.3, "d+x": 0.1}
    run = logged_run(1500, means)
    own = config_of(list(means), PolicyName.uniform)
    result = estimate(run, config_of(list(means), PolicyName.thompson), len(run), own=own)
    # It soon draws the two best.
    for one in result.estimates:
        assert one.mean == pytest.approx(0.6, abs=max(3 * one.half_width, 0.03)), one.name
    ips, _, robust = result.estimates
    assert robust.half_width < ips.half_width
    assert result.logged.mean == pytest.approx(0.4, abs=0.02)
    assert result.warning is None


def test_an_estimate_for_the_logging_policy_is_the_logged_mean() -> None:
    means = {"a+x": 0.7, "b+x": 0.5, "c+x": 0.3}
    run = logged_run(300, means)
    result = estimate(run, config_of(list(means), PolicyName.uniform), 300)
    assert result.effective_draws == pytest.approx(600)
    assert result.estimates[0].mean == pytest.approx(result.logged.mean)


def test_failed_draws_do_not_lower_an_estimate() -> None:
    means = {"a+x": 0.7, "b+x": 0.5, "c+x": 0.3}
    run = logged_run(1500, means)
    rng = np.random.default_rng(1)
    for group in run:
        for one in group:
            if rng.random() < 0.5:
                one.reward = None
    own = estimate(run, config_of(list(means), PolicyName.uniform), len(run))
    assert own.missing == pytest.approx(1500, abs=100)
    assert [one.mean for one in own.estimates[:2]] == pytest.approx([own.logged.mean] * 2)
    assert own.estimates[2].mean == pytest.approx(own.logged.mean, abs=0.01)
    other = estimate(run, config_of(list(means), PolicyName.thompson), len(run))
    for one in other.estimates:
        assert one.mean == pytest.approx(0.6, abs=max(3 * one.half_width, 0.03)), one.name


def test_few_effective_draws_are_warned_about() -> None:
    means = {f"a{n}+x": 0.1 * n for n in range(8)}
    result = estimate(logged_run(40, means), config_of(list(means), PolicyName.thompson), 40)
    assert result.warning is not None
    assert "effective draws" in result.warning


def test_what_a_run_recalled_counts_in_the_estimate_of_its_own_policy(finished_run: Path) -> None:
    """With its saved contexts and its delay, the policy has the run's propensities, so weights are 1."""
    run = SavedRun.open(finished_run)
    result = estimate(run.folder.seeds(), run.config, run.summary["funnel"]["seeds"])
    assert result.recalled > 0
    assert result.effective_draws == pytest.approx(result.draws - result.missing)
    assert result.estimates[1].mean == pytest.approx(result.estimates[0].mean, abs=0.02)


def test_the_command_estimates_on_a_run_directory(run_writer, monkeypatch, capsys) -> None:
    assert staragents(monkeypatch, "replay", str(run_writer()), "--policy", "uniform") == 0
    printed = capsys.readouterr().out
    assert "doubly robust" in printed
    assert "self-normalised" in printed


@pytest.mark.skipif(not REPLAY.is_file(), reason="the shared table of recorded agents is not there")
def test_on_real_agents_the_default_policy_closes_most_of_the_gap() -> None:
    table = RecordedTable.read(REPLAY)
    assert replay_table(table, Config(), 2, 1, 20).mean >= 0.098
    assert replay_table(table, Config(), 1, 5, 5).mean >= 0.135
