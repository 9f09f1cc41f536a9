"""The tables of experiment 1 from the results of its students (CLAIMS.md).

    python benchmarks/evidence/table.py RESULTS

RESULTS is a folder with one JSON file per student, as `choosing.py` writes them, or a .jsonl.gz with one line
per student, as kept in `benchmarks/evidence/results`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from staragents.base.estimate import Estimate
from staragents.evaluation.bootstrap import difference_intervals
from staragents.evaluation.cell import BASE, CellResult
from staragents.evaluation.grid import Grid, Values, grid_of, losses, writers_of
from staragents.evaluation.power import measured_power

ORDER = ("W", "U", "L", "B", "P", "F", "O")
TESTS = (("P", "U"), ("P", "B"), ("P", "L"))
ALSO = (("W", "U"), ("B", "U"), ("L", "U"), ("F", "U"), ("O", "U"), ("P", "F"))


def per_byte(result: CellResult) -> dict[str, float]:
    """Loss per byte of all writers' answers, by prompt."""
    found = {}
    for name, by_writer in result.losses.items():
        nats = sum(one.nats * one.tokens for one in by_writer.values())
        found[name] = nats / sum(one.answer_bytes for one in by_writer.values())
    return found


def difference(grid: Grid, arm: str, reference: str) -> Estimate | None:
    return difference_intervals((grid.row(arm) - grid.row(reference))[None])[0]


def shown(one: Estimate | None) -> str:
    return "-" if one is None else f"{one.mean:+.4f} ({one.low:+.4f} to {one.high:+.4f})"


def table(results: Sequence[CellResult], values: Values, title: str) -> None:
    grid = grid_of([one for one in results if one.cell.arm != BASE], values)
    if grid is None:
        return
    click.echo(f"\n{title}: {len(grid.units)} prompts, {len(grid.training_seeds)} replicates\n")
    click.echo("| arm | mean | replicates |\n|---|---|---|")
    for arm in (one for one in ORDER if one in grid.arms):
        by_seed = grid.row(arm).mean(axis=1)
        click.echo(f"| {arm} | {by_seed.mean():.4f} | {' '.join(f'{one:.4f}' for one in by_seed)} |")
    click.echo("\n| difference | mean and 95 % interval |\n|---|---|")
    for arm, reference in TESTS + ALSO:
        if {arm, reference} <= set(grid.arms):
            click.echo(f"| {arm} - {reference} | {shown(difference(grid, arm, reference))} |")
    if {"P", "U"} <= set(grid.arms):
        click.echo(f"\nP - U: {measured_power((grid.row('P') - grid.row('U'))[None])}")


def read(path: Path) -> list[CellResult]:
    texts = (
        [one.read_text() for one in sorted(path.glob("*.json"))]
        if path.is_dir()
        else gzip.decompress(path.read_bytes()).decode().splitlines()
    )
    results = []
    for text in texts:
        saved = json.loads(text)
        saved.pop("fingerprint", None)
        results.append(CellResult.from_dict(saved))
    return results


@click.command(help=__doc__)
@click.argument("path", metavar="RESULTS", type=click.Path(exists=True, path_type=Path))
def main(path: Path) -> None:
    results = read(path)
    trained = [one for one in results if one.cell.arm != BASE]
    click.echo(
        f"{len(trained)} students, {trained[0].trained_tokens:,} response tokens in "
        f"{trained[0].steps} steps, {sum(one.seconds for one in results) / 60:.0f} minutes"
    )
    for one in results:
        if one.cell.arm == BASE:
            untrained = losses()(one)
            click.echo(f"untrained: {np.mean(list((untrained or {}).values())):.4f}")
    table(results, losses(), "Nats per token")
    table(results, per_byte, "Nats per byte")
    for writer in writers_of(results):
        table(results, losses(writer), f"Nats per token, {writer}")


if __name__ == "__main__":
    main()
