"""`staragents export`: the result of a run, as a trainer wants it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from staragents.export.exporter import Exported
from staragents.formats.known import FORMATS


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    default="messages",
    show_default=True,
    help="dpo and kto are made of winners and losers.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="F.jsonl or F.parquet. [default: RUN/export/FORMAT.jsonl]",
)
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of the seeds that goes to F.validation.jsonl instead.",
)
@click.option("--skip", is_flag=True, help="Leave out rows that the format can't carry, and count them.")
@click.option("--model", help="The model to train, for the configs. [default: the run's target model]")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def export(
    run_dir: Path,
    format_name: str,
    output: Path | None,
    validation: float,
    skip: bool,
    model: str | None,
    as_json: bool,
) -> None:
    """Write the dataset of a run in a trainer's format.

    Beside it lie configs for TRL, Axolotl and LLaMA-Factory that name the file and its template.

    \b
    Examples:
      staragents export runs/demo --format sharegpt -o train.jsonl --validation 0.05
      staragents export runs/demo --format dpo -o pairs.parquet
    """
    from staragents.export.exporter import export
    from staragents.export.recipes import model_to_train, write_recipes
    from staragents.report.saved_run import SavedRun

    run = SavedRun.open(run_dir)
    output = output or run_dir / "export" / f"{format_name}.jsonl"
    exported = export(run, format_name, output, validation, skip)
    exported.recipes = write_recipes(exported, model or model_to_train(run.config))
    if as_json:
        click.echo(json.dumps(exported.as_dict(), ensure_ascii=False))
    else:
        show(exported)


def show(exported: Exported) -> None:
    for split, (path, rows) in exported.files.items():
        click.echo(f"{split:10s} {rows:,} rows  {path}")
    if exported.skipped:
        click.echo(f"left out   {exported.skipped:,} rows that {exported.format} can't carry")
    for recipe in exported.recipes:
        click.echo(f"config     {recipe}")
    if exported.fake:
        click.echo(
            f"note: fake engines were used ({', '.join(exported.fake)}): these are no texts to train on"
        )
