"""How often a judge errs, as a table and in words."""

from __future__ import annotations

from rich.table import Table

from staragents.analysis.judge_calibration import MOST_SPOILED, JudgeCalibration
from staragents.report.number_format import share

WORDS = {
    "truncated": "second half missing",
    "shuffled": "words in random order",
    "swapped": "another seed's response",
}


def table_of(found: JudgeCalibration) -> Table:
    """One row per kind of harm."""
    table = Table(box=None, pad_edge=False)
    for column in ("worse candidate", "asked", "unreadable", "failed", "mean w", "replaces the seed"):
        table.add_column(column, justify="left" if column == "worse candidate" else "right")
    for name, result in found.harms.items():
        table.add_row(
            WORDS[name], f"{result.trials:,}", f"{result.unreadable:,}", f"{result.failed:,}",
            number(result.mean_win), share(result.spoiled),
        )  # fmt: skip
    return table


def lines_of(found: JudgeCalibration) -> list[str]:
    """What the verdicts mean for a run."""
    lines = [f"judge: {found.judge}"]
    if failed := sum(result.failed for result in found.harms.values()):
        lines.append(
            f"requests failed in {failed} comparisons, which do not count; the first: {found.failure}"
        )
    if found.spoiled is None:
        return [*lines, "it gave no readable verdict: a run with it keeps every seed"]
    lines.append(
        f"with reward.margin={found.margin:g}, a worse candidate would replace {share(found.spoiled)} of the "
        f"seeds, a better one {share(found.taken)}"
    )
    if found.agreement is not None:
        lines.append(f"both orders have the same verdict in {share(found.agreement)} of the comparisons")
    if found.enough is None:
        lines.append(
            f"no margin keeps the share of seeds replaced by a worse candidate at {share(MOST_SPOILED)}: use "
            "a stronger judge"
        )
    elif (found.taken_then or 0.0) <= 2 * MOST_SPOILED:
        lines.append(
            f"reward.margin={found.enough:g} would keep it at {share(MOST_SPOILED)}, but a better candidate "
            f"would replace only {share(found.taken_then)} of the seeds: use a stronger judge"
        )
    else:
        lines.append(
            f"reward.margin={found.enough:g} is enough to keep it at {share(MOST_SPOILED)}; a better "
            f"candidate would replace {share(found.taken_then)} of the seeds"
        )
    return lines


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
