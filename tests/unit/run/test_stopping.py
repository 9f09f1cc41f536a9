"""A run ends at its budget, at the same seed despite interruptions; a larger budget resumes it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.config import Config, RunConfig
from staragents.data.seed_file import SeedFile
from staragents.run.stopping import StopRules, stopped_before
from staragents.run.work import Left, work_of
from staragents.run_directory.manifest import read_manifest, results_digest
from staragents.validation.loading import load_config
from tests.support.local_run import decided, drained_run, local_run, state
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


def config(out: Path, *overrides: str) -> Config:
    fixed = ("memory.enabled=false", "run.checkpoint_s=0", "run.admitted_seeds=4", "seeds.limit=30")
    return load_config(ROOT / "configs/fake.yaml", [*fixed, f"output.dir={out}", *overrides])


def tokens(run_dir: Path) -> int:
    return sum(row["tokens_in"] + row["tokens_out"] for row in decided(run_dir))


async def test_a_run_ends_at_its_token_budget_and_reports_it(tmp_path: Path) -> None:
    summary = await local_run(config(tmp_path, "run.max_tokens=30000"))
    assert summary["run"]["stopped"]["rule"] == "run.max_tokens"
    assert not summary["run"]["finished"]
    done = summary["funnel"]["finished"]
    assert 4 < done < 30
    assert 30_000 * (1 - 2 / done) < tokens(tmp_path) < 30_000 * (1 + 1 / done)
    assert sum(1 for _ in (tmp_path / "dataset.jsonl").open()) == done
    assert "run.max_tokens=30000" in (tmp_path / "report.html").read_text()


async def test_a_run_within_its_budget_is_not_stopped(tmp_path: Path) -> None:
    summary = await local_run(config(tmp_path, "run.max_tokens=10000000", "run.max_minutes=60"))
    assert summary["run"]["finished"]
    assert summary["run"]["stopped"] is None


async def test_a_larger_budget_resumes_as_if_the_smaller_had_never_existed(tmp_path: Path) -> None:
    small, large = "run.max_tokens=20000", "run.max_tokens=35000"
    await local_run(config(tmp_path / "twice", small))
    first = decided(tmp_path / "twice")
    assert stopped_before(config(tmp_path, small), state(tmp_path / "twice"))
    assert not stopped_before(config(tmp_path, large), state(tmp_path / "twice"))
    await local_run(config(tmp_path / "twice", "run.max_tokens=null"))
    await local_run(config(tmp_path / "once"))
    assert decided(tmp_path / "twice") == decided(tmp_path / "once")
    assert 0 < len(first) < len(decided(tmp_path / "once"))


PRICED = ("models.writer.price_in=2", "models.writer.price_out=10", "models.judge.price_in=1")


def spent(run_dir: Path) -> float:
    """Recounted from the candidates."""
    total = 0.0
    for row in decided(run_dir):
        for key, tokens in row["stage_tokens"].items():
            stage, _, way = key.partition(".")
            price = {"in": 1, "out": 0} if stage == "judge" else {"in": 2, "out": 10}
            total += tokens * price[way] / 1e6
    return total


async def test_a_run_ends_at_its_budget_of_money_and_a_larger_one_resumes_it(tmp_path: Path) -> None:
    whole = await local_run(config(tmp_path / "once", *PRICED))
    cost = whole["run"]["ledger"]["money"]
    assert cost == pytest.approx(spent(tmp_path / "once"))
    budget = cost / 2
    summary = await local_run(config(tmp_path / "twice", *PRICED, f"run.budget={budget}"))
    assert summary["run"]["stopped"]["rule"] == "run.budget"
    done = summary["funnel"]["finished"]
    assert budget * (1 - 2 / done) < spent(tmp_path / "twice") < budget * (1 + 1 / done)
    assert summary["run"]["ledger"]["money"] == pytest.approx(spent(tmp_path / "twice"))
    again = await local_run(config(tmp_path / "twice", *PRICED, "run.budget=1000", "run.currency=EUR"))
    assert again["run"]["finished"]
    assert again["run"]["ledger"]["money"] == pytest.approx(cost)
    assert again["run"]["ledger"]["currency"] == "EUR"
    assert decided(tmp_path / "twice") == decided(tmp_path / "once")


async def test_new_prices_apply_to_earlier_work(tmp_path: Path) -> None:
    await local_run(config(tmp_path / "run", "models.judge.price_in=1", "run.max_tokens=20000"))
    more = ("models.judge.price_in=2", "run.max_tokens=40000")
    resumed = await local_run(config(tmp_path / "run", *more))
    at_once = await local_run(config(tmp_path / "at once", *more))
    assert resumed["run"]["ledger"]["money"] == pytest.approx(at_once["run"]["ledger"]["money"])


async def test_a_lower_price_resumes_a_run_that_its_budget_ended(tmp_path: Path) -> None:
    first = await local_run(config(tmp_path, *PRICED, "run.budget=0.05"))
    assert first["run"]["stopped"]["rule"] == "run.budget"
    scan = SeedFile(config(tmp_path).seeds).scan()

    def left(*overrides: str) -> Left:
        return work_of(config(tmp_path, *overrides, "run.budget=0.05"), scan).left

    cheaper = ("models.writer.price_in=1", "models.writer.price_out=1")
    assert left(*PRICED) is Left.nothing
    assert left(*PRICED, "models.judge.price_out=0.5") is Left.seeds
    assert left(*cheaper) is Left.seeds
    again = await local_run(config(tmp_path, *cheaper, "run.budget=0.05"))
    assert again["funnel"]["finished"] > first["funnel"]["finished"]


async def test_new_prices_of_a_finished_run_are_in_its_results(tmp_path: Path) -> None:
    few = ("seeds.limit=6", *PRICED)
    first = await local_run(config(tmp_path, *few))
    digest = digest_of_results(tmp_path)
    dearer = config(tmp_path, *few, "models.judge.price_in=7", "run.currency=EUR")
    assert work_of(dearer, SeedFile(dearer.seeds).scan()).left is Left.results
    again = await local_run(dearer)
    counts = first["run"]["ledger"]["models"]["judge"]
    more = 6 * counts["tokens_in"] / 1e6
    assert again["run"]["ledger"]["money"] == pytest.approx(first["run"]["ledger"]["money"] + more)
    saved = json.loads((tmp_path / "summary.json").read_text())["run"]["ledger"]
    assert saved == again["run"]["ledger"]
    assert saved["currency"] == "EUR"
    assert digest_of_results(tmp_path) == digest, "an evaluation of these results stays valid"
    assert work_of(dearer, SeedFile(dearer.seeds).scan()).left is Left.nothing


def digest_of_results(run_dir: Path) -> str:
    manifest = read_manifest(run_dir)
    assert manifest is not None
    return results_digest(manifest)


async def test_gpus_by_the_hour_are_in_the_budget(tmp_path: Path) -> None:
    prices = ("scoring.target.num_gpus=1", "scoring.target.replicas=2", "scoring.target.price_gpu_hour=3.6e6")
    summary = await local_run(config(tmp_path, *prices, "run.budget=1e-3"))
    assert summary["run"]["stopped"]["rule"] == "run.budget"
    assert summary["funnel"]["finished"] == 4  # run.admitted_seeds
    money = summary["run"]["ledger"]["money"]
    assert money == pytest.approx(summary["run"]["wall_seconds"] / 3600 * 2 * 3.6e6, rel=0.05)


def test_a_budget_without_a_price_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"run\.budget: expected at least one price"):
        config(tmp_path, "run.budget=5")


@pytest.mark.parametrize("after", [1, 4, 7])
@pytest.mark.parametrize("rules", [("run.max_tokens=25000",), (*PRICED, "run.budget=0.05")])
async def test_an_interrupted_run_ends_at_the_same_seed(
    tmp_path: Path, after: int, rules: tuple[str, ...]
) -> None:
    await local_run(config(tmp_path / "undisturbed", *rules))
    summary = await drained_run(config(tmp_path / "drained", *rules), after)
    assert summary["funnel"]["finished"] < len({row["seed_id"] for row in decided(tmp_path / "undisturbed")})
    assert summary["run"]["stopped"] is None
    await local_run(config(tmp_path / "drained", *rules))
    assert decided(tmp_path / "drained") == decided(tmp_path / "undisturbed")


async def test_a_budget_below_the_spent_amount_ends_the_run_immediately(tmp_path: Path) -> None:
    await local_run(config(tmp_path, "run.max_tokens=25000"))
    before = decided(tmp_path)
    summary = await local_run(config(tmp_path, "run.max_tokens=10000"))
    assert decided(tmp_path) == before
    assert summary["run"]["stopped"]["limit"] == 10_000


async def test_no_time_left_ends_the_run_after_the_seeds_in_flight(tmp_path: Path) -> None:
    summary = await local_run(config(tmp_path, "run.max_minutes=1e-9"))
    assert summary["run"]["stopped"]["rule"] == "run.max_minutes"
    assert summary["funnel"]["finished"] == 4  # run.admitted_seeds


async def test_flat_rewards_end_a_run_with_patience(tmp_path: Path) -> None:
    summary = await local_run(config(tmp_path, "run.patience=5"))
    stopped = summary["run"]["stopped"]
    assert stopped["rule"] == "run.patience"
    assert summary["funnel"]["finished"] % 5 == 3, "decided at a multiple of 5, with 3 more in work"
    assert "not above" in stopped["detail"]


async def test_patience_ends_a_run_at_the_same_seed_if_another_limit_changes(tmp_path: Path) -> None:
    for limit in ("run.max_tokens=1000000", "run.max_tokens=2000000"):
        summary = await local_run(config(tmp_path, "run.patience=3", limit))
        assert summary["run"]["stopped"]["rule"] == "run.patience"
        assert summary["run"]["stopped"]["seeds"] == summary["funnel"]["finished"] == 9
    longer = await local_run(config(tmp_path, "run.patience=4", "run.max_tokens=2000000"))
    assert longer["funnel"]["finished"] > 9


def feed(rules: StopRules, rewards: list[float]) -> int | None:
    """The number of seeds after which the rules stop, with one seed in flight."""
    for number, reward in enumerate(rewards, 1):
        rules.observe(100, reward)
        rules.decide(number, 0.0)
        if rules.stops(number):
            return number
    return None


def test_patience_waits_while_rewards_rise_and_ends_when_they_are_flat() -> None:
    rng = random.Random(1)
    rising = [min(1.0, 0.1 + 0.2 * (n // 50) + 0.05 * rng.random()) for n in range(250)]
    flat = [0.9 + 0.05 * rng.random() for _ in range(100)]
    assert feed(StopRules(RunConfig(patience=50)), rising) is None
    assert feed(StopRules(RunConfig(patience=50)), rising + flat) == 300


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.data())
def test_rules_restored_at_any_point_decide_like_undisturbed_ones(rewards: list[float], data: Any) -> None:
    run = RunConfig(patience=7, max_tokens=5_000)
    undisturbed, before = StopRules(run), StopRules(run)
    cut = data.draw(st.integers(0, len(rewards)))
    expected = feed(undisturbed, rewards)
    found = feed(before, rewards[:cut])
    if found is None:
        after = StopRules(run)
        after.restore(json.loads(json.dumps(before.state())))
        for number, reward in enumerate(rewards[cut:], cut + 1):
            after.observe(100, reward)
            after.decide(number, 0.0)
            if after.stops(number):
                found = number
                break
    assert found == expected


@pytest.mark.parametrize("key", ["run.max_tokens=0", "run.max_minutes=0", "run.patience=1", "run.budget=0"])
def test_a_limit_out_of_range_is_bad_input(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadInput, match=key.partition("=")[0]):
        config(tmp_path, key)
