"""The IFDs of `staragents score` as a histogram: in the terminal, with what was written, and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.bar import Bar
from rich.console import Console
from rich.table import Table

from staragents.base.errors import BadInput

BAR_WIDTH = 50
SHOWN_BINS = 16
"""Each 0.1 wide; one more bin takes the rest."""


def show(console: Console, summary: dict[str, Any]) -> None:
    """Print a histogram per model, the unscored rows and the path of the file."""
    for role, model in summary["models"].items():
        facts = summary[role]
        draw(console, f"{role} IFD, {model['name']}", facts["ifd"])
        others = {name: n for name, n in facts["statuses"].items() if name != "ok"}
        if others:
            console.print(", ".join(f"{n:,} {name}" for name, n in others.items()), highlight=False)
        console.print()
    for warning in summary["warnings"]:
        console.print(f"note: {warning}", style="yellow", markup=False, highlight=False)
    bad = f", {summary['bad_rows']:,} bad rows skipped" if summary["bad_rows"] else ""
    console.print(
        f"{summary['rows_written']:,} of {summary['rows']:,} rows written{bad}: {summary['output']}",
        markup=False,
        highlight=False,
    )


def draw(console: Console, title: str, spread: dict[str, Any]) -> None:
    """Bins of 0.1; those of 1 and above, where the prompt does not help, in yellow."""
    if not spread["rows"]:
        console.print(f"{title}: no row has an IFD", markup=False, highlight=False)
        return
    bins = coarse(spread["histogram"]["counts"])
    used = [index for index, n in enumerate(bins) if n]
    table = Table(box=None, pad_edge=False, show_header=False)
    for index in range(min(used), max(used) + 1):
        low = f"{index / 10:.1f}" if index < SHOWN_BINS else f"{index / 10:.1f}+"
        colour = "yellow" if index >= 10 else "cyan"
        bar: Bar | str = Bar(max(bins), 0, bins[index], width=BAR_WIDTH, color=colour)
        if console.options.ascii_only:
            bar = "#" * round(BAR_WIDTH * bins[index] / max(bins))
        table.add_row(low, bar, f"{bins[index]:,}")
    console.print(
        f"{title}: median {spread['median']:.2f}, 80 % between {spread['p10']:.2f} and {spread['p90']:.2f}",
        markup=False,
        highlight=False,
    )
    console.print(table)


def coarse(counts: list[int]) -> list[int]:
    """Merge bins of 0.01 into bins of 0.1."""
    edge = 10 * SHOWN_BINS
    return [sum(counts[i : i + 10]) for i in range(0, edge, 10)] + [sum(counts[edge:])]


def write_histogram(path: Path, summary: dict[str, Any]) -> None:
    """Write the page. Raises BadInput if it can't be written."""
    from staragents.report.score_page import write_score_page

    try:
        write_score_page(path, summary)
    except OSError as error:
        raise BadInput(f"--histogram: can't write {path}: {error.strerror}") from error
