"""The table of `staragents evaluate` in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.terminal.console import for_table
from staragents.base.estimate import Estimate
from staragents.evaluation.arm_row import ArmRow, Difference
from staragents.evaluation.evaluation import PAGE, RESULT, Evaluation

WINS_HEADING = "wins over untrained"
LEGEND = (
    "lower is better; +- is half the width of a 95 % interval that holds for all arms of a column at once; "
    "*: the interval excludes 0"
)


def show(console: Console, result: Evaluation, folder: Path) -> None:
    """Print the table, what it can tell, warnings and paths of the files."""
    seeds = len(result.training_seeds)
    console.print(
        f"{result.student}: {len(result.arms)} arms, {seeds} training seed{'s' if seeds != 1 else ''}, "
        f"{result.seeds:,} seeds; loss in nats per token on {result.held_out.conversations:,} held-out "
        "conversations",
        markup=False,
        highlight=False,
    )
    wide = for_table(console)
    wide.print(table(result), highlight=False)
    if result.references:
        console.print(LEGEND, markup=False, highlight=False)
    wide.print(training_table(result), highlight=False)
    console.print(f"{result.power}", markup=False, highlight=False)
    if result.judge is not None:
        console.print(f"{WINS_HEADING}: {result.judge}", markup=False, highlight=False)
    for sentence in result.by_pair.sentences() if result.by_pair is not None else ():
        console.print(sentence, markup=False, highlight=False)
    for warning in result.warnings:
        console.print(f"note: {warning}", style="yellow", markup=False, highlight=False)
    for name in (PAGE, RESULT):
        console.print(str(folder / name), markup=False, highlight=False)


def table(result: Evaluation) -> Table:
    """One row per arm: its loss, and its differences from the references. * marks intervals without 0."""
    judged = any(row.wins is not None for row in result.arms)
    columns = ["loss", *(f"vs {one}" for one in result.references), *([WINS_HEADING] * judged), *result.tasks]
    made = _table(columns)
    for row in [*([result.untrained] if result.untrained is not None else []), *result.arms]:
        differences = [result.difference(row.name, reference) for reference in result.references]
        made.add_row(
            Text(row.name),
            _loss(row),
            *(_difference(one) for one in differences),
            *([_percent(row.wins)] * judged),
            *(_estimate(row.scores.get(task)) for task in result.tasks),
        )
    return made


def training_table(result: Evaluation) -> Table:
    """One row per arm: what its students were trained on. Apart from the losses, so that these fit into 80
    columns with three references."""
    made = _table(["rows", "unchanged seeds", "trained tokens"])
    for row in result.arms:
        made.add_row(Text(row.name), f"{row.rows:,}", f"{row.filled:,}", f"{row.trained_tokens:,.0f}")
    return made


def _table(columns: Sequence[str]) -> Table:
    made = Table(box=None, pad_edge=False)
    for heading in ("arm", *columns):
        made.add_column(Text(heading), justify="left" if heading == "arm" else "right")
    return made


def _loss(row: ArmRow) -> str:
    return "-" if row.loss is None else f"{row.loss.mean:.4f}"


def _difference(one: Difference | None) -> str:
    if one is None or one.estimate is None:
        return "-"
    star = "*" if one.estimate.told else " "
    return f"{one.estimate.mean:+.4f} +-{one.estimate.half_width:.4f}{star}"


def _percent(one: Estimate | None) -> str:
    """Of a probability."""
    if one is None:
        return "-"
    return f"{100 * one.mean:.1f} %" + (f" +- {100 * one.half_width:.1f}" if one.low != one.high else "")


def _estimate(one: Estimate | None) -> str:
    if one is None:
        return "-"
    return f"{one.mean:.3f}" + (f" +- {one.half_width:.3f}" if one.low != one.high else "")
