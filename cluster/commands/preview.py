"""`staragents preview`: a few seeds through everything, side by side."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path

import click
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from staragents.agents import history_text
from staragents.config_loading import load_config
from staragents.printable import printable
from staragents.records import Candidate, as_row


@click.command()
@click.argument("config", type=str)
@click.argument("overrides", nargs=-1)
@click.option(
    "-n", "--seeds", default=3, show_default=True, type=click.IntRange(1, 100), help="How many seeds."
)
@click.option("--json", "as_json", is_flag=True, help="Print the candidates as JSON lines.")
def preview(config: str, overrides: tuple[str, ...], seeds: int, as_json: bool) -> None:
    """Show what the agents make of your first seeds. Nothing is kept.

    \b
    Example:
      staragents preview configs/demo.yaml seeds.path=my.jsonl -n 2
    """
    from cluster.optimise import optimise
    from cluster.panel import Watcher, make_console
    from staragents.run_directory import RunDirectory

    settings = load_config(config, overrides)
    with tempfile.TemporaryDirectory(prefix="staragents-preview-") as folder:
        settings = dataclasses.replace(
            settings,
            seeds=dataclasses.replace(settings.seeds, limit=seeds),
            output=dataclasses.replace(settings.output, dir=str(Path(folder) / "run"), resume="never"),
        )
        console = make_console(to_stderr=as_json)
        outcome = optimise(settings, Watcher(console))
        for candidates in RunDirectory(settings.output.dir).seeds():
            if as_json:
                for candidate in candidates:
                    click.echo(json.dumps(as_row(candidate), ensure_ascii=False))
            else:
                show(console, candidates)
    if not as_json:
        per_seed = outcome.summary["run"]["wall_seconds"] / outcome.summary["funnel"]["seeds"]
        console.print(f"about {per_seed:.0f} s a seed once loaded; engine: {outcome.summary['engine']}")


def show(console: Console, candidates: list[Candidate]) -> None:
    """One seed and what became of it. Texts are printed as they are, never read as markup."""
    table = Table(show_lines=True, expand=True)
    for column, ratio in (("", 2), ("instruction", 5), ("response", 6), ("scores", 3)):
        table.add_column(column, ratio=ratio, overflow="fold")
    first = candidates[0]
    table.add_row(
        "seed",
        Text(printable(first.seed_messages[-2].content)),
        Text(printable(first.seed_messages[-1].content)),
        _pair_of_ifds(first.seed_target_ifd, first.seed_larger_ifd),
    )
    for candidate in candidates:
        texts = candidate.messages[-2:]
        refused = candidate.reject_reason or candidate.error_message or ""
        table.add_row(
            Text(candidate.pair, style="bold green" if candidate.selected else ""),
            Text(printable(texts[0].content if texts else "")),
            Text(printable(texts[1].content if texts else candidate.rejected_text or "")),
            Text(_scores(candidate) if not refused else printable(f"rejected: {refused}")),
        )
    before = Text(printable(history_text(first.seed_messages[:-2])), style="dim")
    shown = Group(before, table) if before else table
    console.print(Panel(shown, title=f"row {first.seed_row}", border_style="dim"))


def _scores(candidate: Candidate) -> str:
    chosen = "\nCHOSEN" if candidate.selected else ""
    return (
        f"{_pair_of_ifds(candidate.target_ifd, candidate.larger_ifd)}\n"
        f"judge {_number(candidate.judge_win)}, reward {_number(candidate.reward)}{chosen}"
    )


def _pair_of_ifds(target: float | None, larger: float | None) -> str:
    return f"IFD target {_number(target)}, larger {_number(larger)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
