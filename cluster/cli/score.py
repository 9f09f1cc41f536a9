"""`staragents score`: compute the IFD of any dataset."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from cluster.cli.columns_option import parse_columns
from cluster.cli.output_path import OutputPath
from cluster.cli.score_histogram import show, write_histogram
from cluster.terminal.console import safe_console
from cluster.terminal.terminal import say_json
from staragents.base.errors import BadInput
from staragents.config import (
    ColumnsConfig,
    Convention,
    RowFormat,
    ScoredReasoning,
    ScoringConfig,
    Template,
    WeightBits,
)
from staragents.files.standard_streams import outlive_readers
from staragents.score_file.selection import SORT_COLUMNS, Selection

COLUMN_KEYS = tuple(field.name for field in fields(ColumnsConfig) if field.name != "conversation")
"""Not `conversation`: the output has a row for each row of the input."""
ON_RAY = ("replicas", "larger_replicas", "gpus", "larger_gpus", "cpus")
SCORERS_ON_RAY = ("replicas", "num_gpus", "num_cpus", "resources")
"""The same in the words of `scoring.target` and `scoring.larger`."""


@click.command()
@click.argument("data", type=click.Path())
@click.argument("overrides", nargs=-1, metavar="[scoring.KEY=VALUE]...")
@click.option("--target", default="", help="The model to train: hub id, folder or packaged:NAME.")
@click.option("--larger", help="A stronger model; adds larger_* and ifd_gap.")
@click.option("-o", "--output", required=True, type=OutputPath(), help="F.parquet, F.jsonl or F.jsonl.gz.")
@click.option(
    "--template",
    type=click.Choice(Template),
    default=ScoringConfig.template,
    show_default=True,
    help="Prompt format. A chat template on a base model pushes every IFD above 1.",
)
@click.option(
    "--convention",
    type=click.Choice(Convention),
    default=ScoringConfig.convention,
    show_default=True,
    help="superfiltering reproduces that paper's tables; its values are not comparable with the others.",
)
@click.option(
    "--reasoning",
    type=click.Choice(ScoredReasoning),
    default=ScoringConfig.reasoning,
    show_default=True,
    help="How answers with reasoning are scored: without it (ignore), after it (context), or both as one "
    "text (both).",
)
@click.option(
    "--max-length",
    default=ScoringConfig.max_length,
    show_default=True,
    type=click.IntRange(2),
    help="Prompt plus answer, in tokens.",
)
@click.option(
    "--min-tokens",
    default=ScoringConfig.min_answer_tokens,
    show_default=True,
    type=click.IntRange(1),
    help="Answers with fewer tokens get the status too_short and no IFD.",
)
@click.option(
    "--batch-tokens",
    default=ScoringConfig.batch_tokens,
    show_default=True,
    type=click.IntRange(1),
    help="Trades memory for speed.",
)
@click.option("--dtype", default="auto", show_default=True, help="auto: bfloat16 on a GPU, float32 on a CPU.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--target-adapter", help="A LoRA adapter on the target: hub id or folder (needs peft).")
@click.option("--larger-adapter", help="The same for --larger.")
@click.option(
    "--quantization",
    type=click.Choice(WeightBits),
    help="Quantise both models if the weights don't fit (needs bitsandbytes).",
)
@click.option(
    "--device-map",
    type=click.Choice(["auto", "balanced", "balanced_low_0", "sequential"]),
    help="Spread a model over several GPUs if it does not fit on one (needs accelerate).",
)
@click.option("--limit", type=click.IntRange(1), help="Score only the first N rows.")
@click.option(
    "--format",
    type=click.Choice(RowFormat),
    default=RowFormat.auto,
    show_default=True,
    help="Use only rows of this format; auto detects each row's format from its columns.",
)
@click.option(
    "--columns", metavar="KEY=COLUMN,...", help=f"Your names for {', '.join(COLUMN_KEYS)}, if they differ."
)
@click.option(
    "--encoding",
    help="Encoding of text files, such as cp1252, gbk or utf-16. [default: UTF-8, else guessed]",
)
@click.option(
    "--sort-by", type=click.Choice(list(SORT_COLUMNS)), help="Highest first; rows without a value last."
)
@click.option(
    "--top",
    help="Write only the best rows by --sort-by (default: ifd): a number such as 500, or a share of all rows "
    "such as 10%. Rows with a target IFD of 1 or more (prompt and answer do not belong together) and rows "
    "without a score are excluded, so there may be fewer.",
)
@click.option(
    "--histogram",
    type=OutputPath(dir_okay=False),
    help="Also write an HTML chart of the IFDs.",
)
@click.option(
    "--cache",
    type=OutputPath(dir_okay=False),
    help="Keep losses in this file for later commands.",
)
@click.option(
    "--cache-mib",
    default=ScoringConfig.cache_mib,
    show_default=True,
    type=click.IntRange(0),
    help="Cache size per model, in memory or in --cache; about 20,000 losses per MiB.",
)
@click.option(
    "--ray/--no-ray",
    "on_ray",
    default=None,
    help="Score in several processes, on the cluster at RAY_ADDRESS or on this machine. Default if "
    "RAY_ADDRESS is set.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1),
    help="On Ray: processes per model, which share the rows. [default: 1]",
)
@click.option(
    "--larger-replicas", type=click.IntRange(1), help="On Ray: the same for --larger, if it differs."
)
@click.option("--gpus", type=click.FloatRange(0), help="On Ray: GPUs per process. [default: none]")
@click.option("--larger-gpus", type=click.FloatRange(0), help="On Ray: the same for --larger, if different.")
@click.option(
    "--cpus", type=click.FloatRange(0, min_open=True), help="On Ray: CPUs per process. [default: 1]"
)
@click.option("--strict", is_flag=True, help="Stop before scoring if any row is bad.")
@click.option("--overwrite", is_flag=True, help="Replace an existing or unfinished output of other options.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def score(
    as_json: bool,
    histogram: Path | None,
    columns: str | None,
    sort_by: str | None,
    top: str | None,
    on_ray: bool | None,
    overrides: tuple[str, ...],
    **options: Any,
) -> None:
    """IFD of any dataset: how hard is each answer to predict?

    DATA is JSONL, JSON, CSV, Parquet or Arrow, plain or compressed: a file, a folder, a pattern, a URL,
    hf:dataset or - (JSONL from standard input), in any of the common formats. Each row is written with its
    columns and target_ifd = exp(loss with the prompt - loss without). Below 1, the prompt helps; high but
    below 1, it is hard to follow and worth training on; 1 or more: prompt and answer do not belong together.

    Settings of scoring can follow as key=value and take precedence over options.

    After a kill or a stop, run the same command to resume.

    \b
    Examples:
      staragents score alpaca.json --target Qwen/Qwen3-0.6B -o scores.parquet
      staragents score alpaca.json --target Qwen/Qwen3-0.6B --larger Qwen/Qwen3-4B \\
        --sort-by gap --top 10% -o best.jsonl --histogram ifd.html
      zcat qa.jsonl.gz | staragents score - --columns instruction=question,response=answer \\
        --target packaged:smollm2-135m-instruct --limit 100 -o scores.parquet
      staragents score alpaca.json --target Qwen/Qwen3-0.6B --larger Qwen/Qwen3-32B \\
        scoring.larger.quantization=8bit scoring.batch_tokens=16384 -o scores.parquet
      RAY_ADDRESS=auto staragents score data/ --target Qwen/Qwen3-4B --replicas 8 --gpus 1 -o scores.parquet
    """
    from cluster.terminal.score_progress import ScoreProgress
    from staragents.base.environment import ray_address
    from staragents.score_file.local_scorers import local_scorers
    from staragents.score_file.score_job import ScoreJob
    from staragents.score_file.settings import ScoreSettings

    open_scorers: Any = local_scorers
    if on_ray is None:
        on_ray = bool(ray_address())
    check_place(on_ray, options, overrides)
    if on_ray:
        from cluster.pools.ray_scorers import ray_scorers as open_scorers

        options["cpus"] = options["cpus"] or 1.0
    options = {name: value for name, value in options.items() if name not in ON_RAY or value is not None}
    check_files({"-o": options["output"], "--histogram": histogram, "--cache": options["cache"]})
    settings = ScoreSettings(
        columns=parse_columns(columns, COLUMN_KEYS),
        selection=Selection(sort_by, top),
        overrides=overrides,
        **options,
    )
    check_models(settings.models, sort_by, options["larger_adapter"])
    outlive_readers()
    with ScoreProgress() as progress:
        summary = ScoreJob(settings, progress, open_scorers).run()
    if histogram is not None:
        write_histogram(histogram, summary)
    if as_json:
        say_json(summary)
    else:
        show(safe_console(soft_wrap=True), summary)


def check_place(on_ray: bool, options: dict[str, Any], overrides: tuple[str, ...]) -> None:
    """Raises BadInput for settings that have no effect on Ray or without it."""
    keys = [text.partition("=")[0] for text in overrides]
    if resized := [key for key in keys if key.endswith(".max_replicas")]:
        raise BadInput(f"{resized[0]}: expected replicas, as the number of processes of score is fixed")
    if on_ray:
        if options["device"] != "auto":
            raise BadInput(f"--device: expected auto on Ray (--gpus says where), got {options['device']}")
        return
    given = [f"--{name.replace('_', '-')}" for name in ON_RAY if options[name] is not None]
    given += [key for key in keys if {*key.split(".")} & {*SCORERS_ON_RAY}]
    if given:
        raise BadInput(f"{given[0]}: expected --ray or RAY_ADDRESS with it, got neither")


def check_files(files: dict[str, Path | None]) -> None:
    """Raises BadInput if two options name the same file, of which one would replace the other."""
    seen: dict[Path, str] = {}
    for option, file in files.items():
        if file is None:
            continue
        # Not Path.resolve, which raises on circular links.
        if (other := seen.setdefault(Path(os.path.realpath(file)), option)) != option:
            raise BadInput(f"{option}: expected another file than {other}, got {file}")


def check_models(models: dict[str, str], sort_by: str | None, larger_adapter: str | None) -> None:
    """Raises BadInput if a model is missing."""
    if not models["target"]:
        raise BadInput("--target: expected a model, also as scoring.target.model=NAME, got none")
    if sort_by in ("gap", "larger_ifd") and "larger" not in models:
        raise BadInput(f"--sort-by: expected --larger for {sort_by}, got none")
    if larger_adapter and "larger" not in models:
        raise BadInput("--larger-adapter: expected --larger with it, got none")
