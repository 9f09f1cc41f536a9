"""`staragents export`: the dataset of a run in a trainer's format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cluster.cli.output_path import OutputPath
from cluster.terminal.terminal import say, say_json
from staragents.data.formats.known import FORMATS
from staragents.export.exporter import Exported


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    default="messages",
    show_default=True,
    help="dpo and kto consist of winners and losers.",
)
@click.option(
    "-o",
    "--output",
    type=OutputPath(),
    help="F.jsonl or F.parquet. [default: RUN/export/FORMAT.jsonl]",
)
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of the seeds that goes to F.validation.jsonl.",
)
@click.option("--skip", is_flag=True, help="Skip rows that the format can't represent, and count them.")
@click.option("--model", help="The model to train, for the configs. [default: the run's target model]")
@click.option(
    "--push-to-hub", "repo", metavar="OWNER/NAME", help="Also upload it with its card, private if new."
)
@click.option("--public", is_flag=True, help="With --push-to-hub: a new repository is public.")
@click.option(
    "--dry-run", is_flag=True, help="With --push-to-hub: show what would be uploaded, upload nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def export(
    run_dir: Path,
    format_name: str,
    output: Path | None,
    validation: float,
    skip: bool,
    model: str | None,
    repo: str | None,
    public: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write the dataset of a run in a trainer's format.

    Also writes configs for TRL, Axolotl and LLaMA-Factory that name the file and its template.

    \b
    Examples:
      staragents export runs/demo --format sharegpt -o train.jsonl --validation 0.05
      staragents export runs/demo --format dpo -o pairs.parquet
      HF_TOKEN=... staragents export runs/demo --push-to-hub me/my-dataset
    """
    if repo is None and (public or dry_run):
        raise click.UsageError("--public and --dry-run need --push-to-hub")
    from staragents.analysis.saved_run import SavedRun
    from staragents.export.exporter import export
    from staragents.export.hub import Push, check_push
    from staragents.export.recipes import model_to_train, write_recipes

    run = SavedRun.open(run_dir)
    if repo is not None:
        check_push(repo, dry_run)
    output = output or run_dir / "export" / f"{format_name}.jsonl"
    exported = export(run, format_name, output, validation, skip)
    exported.recipes = write_recipes(exported, model or model_to_train(run.config))
    told = exported.as_dict()
    if not as_json:
        show(exported)
    if repo is not None:
        push = Push.of(run, exported, repo, private=not public)
        url, deleted = (None, push.outdated) if dry_run else push.send()
        sizes = push.sizes()
        told["push"] = {"repo": repo, "files": sizes, "deleted": deleted, "dry_run": dry_run, "url": url}
        if not as_json:
            show_push(told["push"])
    if as_json:
        say_json(told)


def show_push(push: dict[str, Any]) -> None:
    for name, size in push["files"].items():
        say(f"upload     {name}, {size:,} bytes")
    for name in push["deleted"]:
        say(f"delete     {name}{', if the repository has it' if push['dry_run'] else ''}")
    say(
        f"dry run: nothing was uploaded to {push['repo']}" if push["dry_run"] else f"pushed     {push['url']}"
    )


def show(exported: Exported) -> None:
    for split, (path, rows) in exported.files.items():
        say(f"{split:10s} {rows:,} rows  {path}")
    if exported.skipped:
        say(f"skipped    {exported.skipped:,} rows that {exported.format} can't represent")
    if exported.filtered:
        say(f"skipped    {exported.filtered:,} sides of verdicts that the run's filters drop")
    if exported.reasoning:
        say(f"reasoning  {exported.reasoning:,} rows have it in reasoning_content of their turns")
    if exported.reasoning_dropped:
        say(
            f"note: {exported.format} has no field for reasoning: {exported.reasoning_dropped:,} rows are "
            "without theirs; --format messages keeps it"
        )
    for recipe in exported.recipes:
        say(f"config     {recipe}")
    for path in exported.removed:
        say(f"removed    {path}, of the earlier export to this name")
    for path in exported.kept:
        say(f"note: {path} is not of this export: it may have the same rows as {exported.train}")
    for path in exported.edited:
        say(f"note: {path} was edited and stays as it is: delete it for a config of this export")
    if exported.fake:
        say(f"note: fake engines were used ({', '.join(exported.fake)}): don't train on these texts")
