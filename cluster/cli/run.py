"""`staragents run`: run or resume the whole pipeline."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from cluster.terminal.terminal import say_json
from staragents.base.errors import INTERRUPTED
from staragents.config.prices import amount
from staragents.text.printable import printable


@click.command()
@click.argument("config", type=click.Path())
@click.argument("overrides", nargs=-1)
@click.option("--overwrite", is_flag=True, help="Delete the contents of the run directory and start again.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print summary.json at the end; progress goes to standard error."
)
def run(config: str, overrides: tuple[str, ...], overwrite: bool, as_json: bool) -> int:
    """Rewrite, score, judge and choose: from seeds to a dataset.

    Run the same command to resume. Ctrl-C finishes and saves the seeds in flight; a second Ctrl-C stops
    immediately (at most run.checkpoint_s of finished work is then redone). A damaged run directory is never
    written to: see `repair`.

    \b
    Examples:
      staragents run configs/demo.yaml
      staragents run configs/demo.yaml seeds.path=my.jsonl seeds.limit=100 output.dir=runs/mine
      RAY_ADDRESS=auto staragents run configs/node8.yaml
    """
    from cluster.driver.optimise import optimise
    from cluster.terminal.console import make_console
    from cluster.terminal.long_work import begin_long_work
    from cluster.terminal.watcher import Watcher
    from staragents.validation.loading import load_config

    settings = load_config(config, overrides)
    console = make_console(to_stderr=as_json)
    begin_long_work()
    outcome = optimise(settings, Watcher(console), overwrite)
    if as_json:
        say_json(outcome.summary)
    else:
        show_summary(console, Path(settings.output.dir), outcome.summary)
    if outcome.stopped:
        console.print("stopped before the end; run the same command to resume", style="yellow")
        return INTERRUPTED
    if not as_json:
        for verb in ("diagnose", "export"):
            command = printable(shlex.join(["staragents", verb, settings.output.dir]))
            console.print(f"next: {command}", markup=False, highlight=False, soft_wrap=True)
    return 0


def show_summary(console: Console, path: Path, summary: dict[str, Any]) -> None:
    """Print the counters, the warnings and the paths of the results."""
    funnel = summary["funnel"]
    table = Table(box=None, pad_edge=False, show_header=False)
    for name in ("seeds", "drawn", "generated", "scored", "judged", "accepted", "kept_seed"):
        table.add_row(name.replace("_", " "), str(funnel[name]))
    if close := funnel.get("within_margin"):
        table.add_row("  of these, close verdicts", f"{close} (w above 0.5, but within reward.margin)")
    for kind in ("filtered", "flagged"):
        for name, count in funnel[kind].items():
            table.add_row(f"{kind}: {name.replace('_', ' ')}", str(count))
    if unreadable := summary["judge"].get("unreadable"):
        table.add_row("unreadable verdicts", str(unreadable))
    if thought := summary["cost"].get("reasoning_tokens"):
        table.add_row("reasoning tokens", f"{thought:,} of {summary['cost']['tokens_out']:,} generated")
    table.add_row("rows", str(funnel["rows"]))
    ledger = summary["run"].get("ledger", {})
    if ledger.get("gpu_hours"):
        table.add_row("GPU-hours", f"{ledger['gpu_hours']:.2f}")
    if ledger.get("money") is not None:
        table.add_row("cost", f"{amount(ledger['money'])} {ledger['currency']}")
    console.print(table)
    if stopped := summary["run"].get("stopped"):
        console.print(
            f"stopped by {stopped['rule']}={stopped['limit']} after {funnel['finished']} of "
            f"{funnel['seeds']} seeds: {stopped['detail']}; "
            "to resume, run the same command with a larger value",
            highlight=False,
        )
    for warning in summary["warnings"]:
        console.print(f"note: {warning}", style="yellow", markup=False, highlight=False)
    console.print(f"engine: {summary['engine']}", highlight=False)
    for name in ("dataset.jsonl", "summary.json", "report.html"):
        console.print(str(path / name), markup=False, highlight=False)
