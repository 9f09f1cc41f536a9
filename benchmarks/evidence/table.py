"""The tables of experiment 1 from the results of its students (CLAIMS.md).

    python benchmarks/evidence/table.py RESULTS [--unshared DATA]

RESULTS is a folder with one JSON file per student, as `choosing.py` writes them, or a .jsonl.gz with one line
per student, as kept in `benchmarks/evidence/results`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from command import run
from scipy.stats import spearmanr

from staragents.base.errors import BadInput
from staragents.base.estimate import Estimate
from staragents.evaluation.bootstrap import difference_intervals
from staragents.evaluation.cell import BASE, Cell, CellResult
from staragents.evaluation.grid import Grid, Values, grid_of, losses, writers_of
from staragents.evaluation.power import measured_power

ORDER = ("W", "U", "L", "B", "P", "F", "O")
TESTS = (("P", "U"), ("P", "B"), ("P", "L"))
ALSO = (("W", "U"), ("B", "U"), ("L", "U"), ("F", "U"), ("O", "U"), ("P", "F"))
TREND = ("W", "U", "B", "P", "O")
"""In the order of their mean verdicts."""


def per_byte(result: CellResult) -> dict[str, float]:
    """Loss per byte of all writers' answers, by prompt."""
    found = {}
    for name, by_writer in result.losses.items():
        nats = sum(one.nats * one.tokens for one in by_writer.values())
        found[name] = nats / sum(one.answer_bytes for one in by_writer.values())
    return found


def mean_loss(result: CellResult) -> float:
    """The mean over prompts of the loss per token, in nats."""
    return float(np.mean(list((losses()(result) or {}).values())))


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
    if set(TREND) <= set(grid.arms):
        losses_of = np.array([grid.row(arm).mean(axis=1) for arm in TREND])
        ranks = [float(spearmanr(range(len(TREND)), of_replicate)[0]) for of_replicate in losses_of.T]
        click.echo(
            f"\nrank correlation of mean verdict and loss over {', '.join(TREND)}: {np.mean(ranks):.2f} "
            f"({' '.join(f'{one:.1f}' for one in ranks)})"
        )
    if {"P", "U"} <= set(grid.arms):
        click.echo(f"\nP - U: {measured_power((grid.row('P') - grid.row('U'))[None])}")


def read(path: Path, choices: Callable[[Cell], str | None] = lambda _: None) -> list[CellResult]:
    """The students of a folder or file. Raises BadInput if there are none, or one is damaged or was trained
    on other choices. `choices`: the checksum of a student's choices, None if it is not known."""
    try:
        texts = (
            {one.name: one.read_text() for one in sorted(path.glob("*.json"))}
            if path.is_dir()
            else dict(enumerate(gzip.decompress(path.read_bytes()).decode().splitlines(), 1))
        )
    except (OSError, EOFError, ValueError) as error:
        raise BadInput(f"{path}: expected a .jsonl.gz with a student per line: {error}") from error
    if not texts:
        raise BadInput(f"{path}: expected a JSON file per student, got none")
    return [_student(f"{path}:{name}", text, choices) for name, text in texts.items()]


def _student(where: str, text: str, choices: Callable[[Cell], str | None]) -> CellResult:
    try:
        saved = json.loads(text)
        saved.pop("fingerprint", None)
        made_of = saved.pop("choices", "")
        student = CellResult.from_dict(saved)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(f"{where}: expected the result of a student ({error!r})") from error
    if choices(student.cell) not in (None, made_of):
        raise BadInput(f"{where}: was trained on other choices than those of FACTS")
    return student


def unshared_prompts(data: Path) -> frozenset[str]:
    """The ids of the endpoint's prompts that share no text with what an arm could choose."""
    from choosing import ANSWERS, RECORDED, Recorded
    from students import WRITERS, found, held_out_prompts

    from staragents.config import FiltersConfig
    from staragents.evaluation.contamination import without_contaminated

    recorded, answers = Recorded.read(found(data, RECORDED)), found(data, ANSWERS)
    agents = recorded.table.agents
    prompts = len(recorded.table.instructions)
    every = recorded.arms(agents, {agent: [column] * prompts for column, agent in enumerate(agents)})
    kept, notes = without_contaminated(
        every, held_out_prompts(answers, WRITERS)[1], str(answers), FiltersConfig().ngram
    )
    for note in notes:
        click.echo(note)
    return frozenset(one.conversation_id for one in kept)


@click.command(help=__doc__)
@click.argument("path", metavar="RESULTS", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--unshared",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The DATA of `choosing.py`: leave out prompts that share a text with any recorded response.",
)
def main(path: Path, unshared: Path | None) -> None:
    results = read(path)
    if unshared is not None:
        kept = unshared_prompts(unshared)
        results = [
            replace(one, losses={name: loss for name, loss in one.losses.items() if name in kept})
            for one in results
        ]
    trained = [one for one in results if one.cell.arm != BASE]
    if not trained:
        raise BadInput(f"{path}: expected a student that was trained, got none")
    click.echo(
        f"{len(trained)} students, {trained[0].trained_tokens:,} response tokens in "
        f"{trained[0].steps} steps, {sum(one.seconds for one in results) / 60:.0f} minutes"
    )
    for one in results:
        if one.cell.arm == BASE:
            click.echo(f"untrained: {mean_loss(one):.4f}")
    table(results, losses(), "Nats per token")
    table(results, per_byte, "Nats per byte")
    for writer in writers_of(results):
        table(results, losses(writer), f"Nats per token, {writer}")


if __name__ == "__main__":
    run(main)
