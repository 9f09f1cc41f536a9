"""Money: the cost of a run, and the cost of all seeds predicted from a preview or an earlier run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cluster.cli import preview
from cluster.cli.run import show_summary
from cluster.terminal.watcher import line, panel
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.config.prices import Prices, amount
from staragents.run.forecast import Rates, forecast
from staragents.run.ledger import Ledger
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import fingerprint, load_config
from tests.support.local_run import decided, local_run, statuses_of
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

PRICED = (
    "models.writer.price_in=2", "models.writer.price_out=10", "models.judge.price_in=1",
    "scoring.larger.num_gpus=0.5", "scoring.larger.replicas=4", "scoring.larger.price_gpu_hour=3",
)  # fmt: skip


def config(out: Path | str, *overrides: str) -> Config:
    fixed = ("memory.enabled=false", f"output.dir={out}")
    return load_config(ROOT / "configs/fake.yaml", [*fixed, *overrides])


def candidate(pair: str, **tokens: int) -> Candidate:
    instruction, _, response = pair.partition("+")
    stages = {key.replace("_", "."): count for key, count in tokens.items()}
    return Candidate("s", "c", pair, instruction, response, 1.0, (), stage_tokens=stages)


COUNTS = st.integers(0, 10**7)
SETTINGS = config("x", *PRICED)


@settings(deadline=None)
@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), max_size=5), st.floats(0, 1e6))
def test_a_bill_is_tokens_and_hours_times_their_prices(
    rows: list[tuple[int, int, int, int]], seconds: float
) -> None:
    ledger = Ledger(SETTINGS)
    for rewrite, answer, judge, baseline in rows:
        ledger.add(
            [
                candidate("deepen+direct", rewrite_in=rewrite, answer_out=answer),
                candidate("keep+direct", judge_in=judge, judge_out=judge, baseline_in=baseline),
            ]
        )
    bill = ledger.bill(seconds)
    expected = sum(2 * r + 10 * a + 1 * j + 2 * b for r, a, j, b in rows) / 1e6
    assert bill.tokens == pytest.approx(expected)
    assert bill.time == pytest.approx(2 * 3 * seconds / 3600)
    again = Ledger(SETTINGS)
    again.restore(ledger.state())
    assert again.bill(seconds) == bill


def test_without_prices_there_is_no_cost() -> None:
    ledger = Ledger(config("x"))
    ledger.add([candidate("keep+direct", answer_in=10, answer_out=5)])
    assert ledger.as_dict(3600)["money"] is None
    assert not Prices(config("x")).known
    assert Prices(config("x", "models.judge.price_out=1")).known


def test_prices_are_not_part_of_the_fingerprint() -> None:
    priced = ("models.writer.price_in=2", "models.judge.price_out=1", "run.budget=3", "run.currency=EUR")
    assert fingerprint(config("x")) == fingerprint(config("x", *priced))


@pytest.mark.parametrize(
    ("money", "expected"), [(0, "0.00"), (1234.5, "1,234.50"), (0.0123, "0.012"), (0.000002, "2e-06")]
)
def test_small_amounts_keep_two_figures(money: float, expected: str) -> None:
    assert amount(money) == expected


@pytest.mark.parametrize("compare", ["pair", "response_same_instruction"])
async def test_every_token_of_a_run_is_in_its_ledger(tmp_path: Path, compare: str) -> None:
    rules = ("seeds.limit=8", f"judge.compare={compare}", *PRICED)
    summary = await local_run(config(tmp_path, *rules))
    models, cost = summary["run"]["ledger"]["models"], summary["cost"]
    for way in ("tokens_in", "tokens_out"):
        assert sum(counts[way] for counts in models.values()) == cost[way]
    # This model only judges.
    assert models["judge"]["tokens_in"] == cost["stages"]["judge"]["tokens_in"]
    assert ("baseline" in cost["stages"]) is (compare == "response_same_instruction")


async def test_a_preview_predicts_the_cost_of_the_whole_dataset(tmp_path: Path) -> None:
    whole = config(tmp_path, "seeds.limit=60", *PRICED)
    few = await local_run(config(tmp_path, "seeds.limit=3", *PRICED))
    rates = Rates.measured("this preview", few)
    assert rates is not None
    predicted = forecast(whole, 60, Prices(whole).gpus, rates)
    assert predicted.money is not None
    paid = sum(row["tokens_in"] + row["tokens_out"] for row in decided(tmp_path))
    assert predicted.tokens_in is not None
    assert predicted.tokens_out is not None
    assert predicted.tokens_in + predicted.tokens_out == pytest.approx(20 * paid, rel=0.001)
    ledger = few["run"]["ledger"]
    assert predicted.money.total == pytest.approx(20 * ledger["money"], rel=0.05)
    said = "\n".join(preview.lines(few, predicted, rates))
    assert "this preview: 3 seeds, 9 candidates" in said
    assert "60 seeds make 180 candidates" in said
    assert f"money: about {amount(predicted.money.total)} USD (tokens" in said
    console = Console(record=True, width=160, file=(tmp_path / "out").open("w"))
    for candidates in RunDirectory(tmp_path).seeds():
        preview.show(console, candidates)
    shown = console.export_text()
    assert all(f"{row['tokens_in'] + row['tokens_out']:,} tokens" in shown for row in decided(tmp_path))


async def test_models_that_were_not_measured_have_no_known_price(tmp_path: Path) -> None:
    rates = Rates.measured("it", await local_run(config(tmp_path, "seeds.limit=3")))
    other = config("x", "models.new.kind=fake", "judge.model=new", *PRICED)
    assert forecast(other, 60, 2.0, rates).money is None
    assert forecast(config("x", *PRICED), 60, 2.0, rates).money is not None


async def test_the_ledger_is_live_and_in_every_output(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    summary = await local_run(
        config(tmp_path, "seeds.limit=6", "run.admitted_seeds=1", "run.budget=50", *PRICED),
        lambda coordinator: asyncio.ensure_future(statuses_of(coordinator, seen)),
    )
    spent = [status["ledger"]["money"] for status in seen]
    assert len(spent) == 6
    assert 0 < spent[0] < spent[-1]
    assert spent == sorted(spent)
    assert f"{amount(spent[-1])} of 50.00 USD" in line(seen[-1])
    console = Console(record=True, width=160, file=(tmp_path / "out").open("w"))
    console.print(panel(seen[-1]))
    show_summary(console, tmp_path, summary)
    money = amount(summary["run"]["ledger"]["money"])
    said = console.export_text()
    assert f"{amount(spent[-1])} of 50.00 USD" in said
    assert f"{money} USD" in said
    assert f"<dt>Cost</dt><dd>{money}<small>USD" in (tmp_path / "report.html").read_text()


async def test_a_report_without_prices_has_no_cost(tmp_path: Path) -> None:
    await local_run(config(tmp_path, "seeds.limit=3"))
    assert "<dt>Cost</dt>" not in (tmp_path / "report.html").read_text()
