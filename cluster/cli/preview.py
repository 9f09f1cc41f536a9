"""`staragents preview`: run a few seeds through the pipeline and show the results side by side."""

from __future__ import annotations

import dataclasses
import shlex
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cluster.terminal.terminal import say_json
from staragents.agents.history_text import history_text
from staragents.base.records import Candidate, as_row
from staragents.config import Resume
from staragents.config.prices import Prices, amount
from staragents.run.forecast import Forecast, Rates, forecast
from staragents.validation.loading import load_config


@click.command()
@click.argument("config", type=click.Path())
@click.argument("overrides", nargs=-1)
@click.option(
    "-n", "--seeds", default=3, show_default=True, type=click.IntRange(1, 100), help="How many seeds."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print candidates as JSON lines, then a line with the forecast."
)
def preview(config: str, overrides: tuple[str, ...], seeds: int, as_json: bool) -> None:
    """Run the first seeds, and predict the cost of all.

    Nothing is saved. Predicts tokens, time and GPU-hours for the whole dataset, and cost if the config has
    prices (models.*.price_in, price_out, price_gpu_hour).

    \b
    Examples:
      staragents preview configs/demo.yaml seeds.path=my.jsonl -n 2
      staragents preview my.yaml models.hosted.price_in=0.15 models.hosted.price_out=0.6
    """
    from cluster.driver.optimise import optimise
    from cluster.terminal.console import make_console
    from cluster.terminal.long_work import begin_long_work
    from cluster.terminal.watcher import Watcher
    from staragents.data.seed_file import SeedFile
    from staragents.run_directory.run_directory import RunDirectory

    settings = load_config(config, overrides)
    file = SeedFile(settings.seeds)
    all_seeds = file.scan().seeds
    with tempfile.TemporaryDirectory(prefix="staragents-preview-") as folder:
        few = dataclasses.replace(
            settings,
            seeds=dataclasses.replace(settings.seeds, limit=file.limit_for(seeds)),
            output=dataclasses.replace(settings.output, dir=str(Path(folder) / "run"), resume=Resume.never),
        )
        console = make_console(to_stderr=as_json)
        begin_long_work()
        outcome = optimise(few, Watcher(console))
        for candidates in RunDirectory(few.output.dir).seeds():
            if as_json:
                for candidate in candidates:
                    say_json(as_row(candidate))
            else:
                show(console, candidates)
    rates = Rates.measured("this preview", outcome.summary)
    predicted = forecast(settings, all_seeds, Prices(settings).gpus, rates)
    if as_json:
        say_json({"forecast": predicted.as_dict(), "measured": outcome.summary["run"]["ledger"]})
        return
    for line in lines(outcome.summary, predicted, rates):
        console.print(line, markup=False, highlight=False)
    command = shlex.join(["staragents", "run", config, *overrides])
    console.print(f"next: {command}", markup=False, highlight=False, soft_wrap=True)


def lines(summary: dict[str, Any], predicted: Forecast, rates: Rates | None) -> list[str]:
    """What the preview used, and the prediction for the whole dataset."""
    funnel, cost, ledger = summary["funnel"], summary["cost"], summary["run"]["ledger"]
    thought = f" ({cost['reasoning_tokens']:,} of them reasoning)" if cost.get("reasoning_tokens") else ""
    money = "" if ledger["money"] is None else f", {amount(ledger['money'])} {ledger['currency']}"
    found = [
        f"this preview: {funnel['finished']} seeds, {funnel['drawn']} candidates, "
        f"{cost['tokens_in']:,} tokens in and {cost['tokens_out']:,} out{thought}, "
        f"{cost['wall_seconds']:.1f} s after loading{money}; "
        f"engine: {summary['engine']}",
    ]
    if rates is not None:
        found += ["the whole dataset:", *(f"  {line}" for line in predicted.lines(rates))]
        found.append("  with so few seeds the pools are often idle: a run is faster")
    return found


def show(console: Console, candidates: list[Candidate]) -> None:
    """Print one seed with its candidates. Texts are printed literally, without markup."""
    table = Table(show_lines=True, expand=True)
    for column, ratio in (("", 2), ("instruction", 5), ("response", 6), ("scores", 3)):
        table.add_column(column, ratio=ratio, overflow="fold")
    first = candidates[0]
    table.add_row(
        "seed",
        Text(first.seed_messages[-2].content),
        Text(first.seed_messages[-1].content),
        _pair_of_ifds(first.seed_target_ifd, first.seed_larger_ifd),
    )
    for candidate in candidates:
        texts = candidate.messages[-2:]
        problem = candidate.reject_reason if candidate.rejected else candidate.error_message
        outcome = f"rejected: {problem}" if problem else _scores(candidate)
        table.add_row(
            Text(candidate.pair, style="bold green" if candidate.selected else ""),
            Text(texts[0].content if texts else ""),
            Text(texts[1].content if texts else candidate.rejected_text or ""),
            Text(f"{outcome}\n{_cost(candidate)}"),
        )
    before = Text(history_text(first.seed_messages[:-2]), style="dim")
    shown = Group(before, table) if before else table
    console.print(Panel(shown, title=f"row {first.seed_row}", border_style="dim"))


def _scores(candidate: Candidate) -> str:
    chosen = "\nCHOSEN" if candidate.selected else ""
    return (
        f"{_pair_of_ifds(candidate.target_ifd, candidate.larger_ifd)}\n"
        f"judge {_number(candidate.judge_win)}, reward {_number(candidate.reward)}{chosen}"
    )


def _cost(candidate: Candidate) -> str:
    return f"{candidate.tokens:,} tokens, {candidate.seconds:.1f} s"


def _pair_of_ifds(target: float | None, larger: float | None) -> str:
    return f"IFD target {_number(target)}, larger {_number(larger)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
