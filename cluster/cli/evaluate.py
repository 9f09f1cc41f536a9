"""`staragents evaluate`: train students on what a run made and on alternatives to it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from cluster.cli.columns_option import parse_columns
from cluster.cli.output_path import OutputPath
from cluster.terminal.terminal import say_json
from staragents.base.errors import INTERRUPTED, BadInput
from staragents.config import ColumnsConfig

COLUMN_KEYS = tuple(field.name for field in fields(ColumnsConfig))


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN... [evaluation.KEY=VALUE]...")
@click.option("--student", help="The model to train: hub id, folder or packaged:NAME; unset: scoring.target.")
@click.option(
    "--held-out",
    required=True,
    help="Conversations that no run has seen: a dataset, or rows with an object `answers` by writer.",
)
@click.option("-o", "--output", required=True, type=OutputPath(), help="Folder for students and results.")
@click.option("--arms", help="What to train on, separated by commas; unset: evaluation.arms.")
@click.option(
    "--arm", "files", multiple=True, metavar="NAME=FILE", help="A dataset as a further arm; may be repeated."
)
@click.option(
    "--columns",
    metavar="KEY=COLUMN,...",
    help=f"Your names for {', '.join(COLUMN_KEYS)} in --held-out and --arm, if they differ.",
)
@click.option(
    "--by-pair", is_flag=True, help="Add an arm for each pair, and seeds: does its reward predict its gain?"
)
@click.option("--seeds", type=click.IntRange(1), help="Students per arm; unset: evaluation.training_seeds.")
@click.option("--held-out-rows", type=click.IntRange(1), help="Draw so many of the held-out conversations.")
@click.option(
    "--difference",
    type=click.FloatRange(0, min_open=True),
    help="Refuse to start unless a difference of this many nats per token is detectable.",
)
@click.option(
    "--judge",
    is_flag=True,
    help="Have the run's judge compare each student's answers to held-out prompts with those of the "
    "untrained student (evaluation.judged_prompts, evaluation.answer_tokens).",
)
@click.option(
    "--tasks",
    help="Tasks of lm-evaluation-harness that score each student, separated by commas "
    "(evaluation.task_limit). Needs the extra harness.",
)
@click.option(
    "--tasks-folder",
    type=click.Path(path_type=Path),
    help="Folder with task files of your own. Their Python functions are run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print evaluate.json; progress goes to standard error.")
def evaluate(
    runs: tuple[str, ...],
    student: str | None,
    held_out: str,
    output: Path,
    arms: str | None,
    files: tuple[str, ...],
    columns: str | None,
    by_pair: bool,
    seeds: int | None,
    held_out_rows: int | None,
    difference: float | None,
    judge: bool,
    tasks: str | None,
    tasks_folder: Path | None,
    as_json: bool,
) -> int:
    """Are the data better? Train a student and find out.

    Every arm trains the same student on rows of the same seeds, in the same order, for the same number of
    steps and answer tokens. Then each student predicts answers that none has seen: a lower loss means
    that the arm's rows made these answers more likely. RUN is a run directory or a `compare` folder.

    \b
      dataset        what the run chose
      seeds          the unchanged seeds
      random         a random candidate of each seed: what choosing must beat
      random-length  the same, with answers as long as in dataset
      judge, ifd     the highest judge_win; the highest target IFD below 1
      base           the base pair's candidate
      pair:NAME      the candidates of one pair

    A seed for which an arm has no row stays unchanged in it. Differences to `seeds`, `random` and
    `random-length` have 95 % intervals over conversations and training seeds, corrected for the number of
    arms. Settings of the section evaluation can follow as key=value. Each student is a Ray task, on the
    cluster at RAY_ADDRESS or on this machine. After a kill or a stop, run the same command to resume.

    \b
    Examples:
      staragents evaluate runs/demo --held-out test.jsonl -o runs/demo-evaluate
      staragents evaluate runs/demo --student packaged:smollm2-135m-instruct --held-out answers.jsonl.gz \\
        --held-out-rows 50 --arms dataset,seeds,random --seeds 2 -o runs/demo-evaluate
      staragents evaluate runs/node8 --arm alpaca=alpaca.json --held-out test.jsonl -o runs/versus-alpaca \\
        evaluation.num_gpus=1 evaluation.lora_rank=16
      staragents evaluate runs/node8 --by-pair --arms seeds --held-out test.jsonl -o runs/by-pair
      staragents evaluate runs/node8 --judge --tasks ifeval,arc_easy --held-out test.jsonl -o runs/node8-more
    """
    names = None if arms is None else _names(arms)
    given = {"student": student, "arms": names, "training_seeds": seeds}
    asked = {
        "held_out": held_out,
        "files": _files(files),
        "columns": parse_columns(columns, COLUMN_KEYS),
        "by_pair": by_pair,
        "held_out_rows": held_out_rows,
        "difference": difference,
        "judge": judge,
        "tasks": _tasks(tasks, tasks_folder),
        "tasks_folder": tasks_folder,
    }
    return _evaluated(runs, given, asked, output, as_json)


def _evaluated(
    arguments: tuple[str, ...], given: dict[str, Any], asked: dict[str, Any], output: Path, as_json: bool
) -> int:
    """Train, measure and print; returns the exit code. `arguments`: runs and overrides. `given`: options for
    settings. `asked`: the others."""
    from cluster.cli.evaluation_table import show
    from cluster.driver.evaluate import Evaluating, Question
    from cluster.terminal.console import make_console
    from cluster.terminal.long_work import begin_long_work
    from cluster.terminal.watcher import Watcher
    from staragents.analysis.saved_run import SavedRun
    from staragents.evaluation.run_folders import named_runs
    from staragents.evaluation.settings import evaluation_settings, is_override

    runs = [Path(name) for name in arguments if not is_override(name)]
    if not runs:
        raise BadInput("RUN: expected at least one run, got settings only")
    overrides = [name for name in arguments if is_override(name)]
    first = next(iter(named_runs(runs).values()))
    config = SavedRun.read(first).config
    settings = evaluation_settings(config, overrides, given)
    asked = asked | {"judge": (config, first) if asked["judge"] else None}
    question = Question(runs, settings=settings, **asked)
    console = make_console(to_stderr=as_json)
    begin_long_work()
    evaluating = Evaluating(question, output, Watcher(console).say)
    try:
        result = evaluating.run()
    except KeyboardInterrupt:
        console.print("stopped before the end; run the same command to resume", style="yellow")
        return INTERRUPTED
    if as_json:
        say_json(result.as_dict())
    else:
        show(console, result, output)
    return 0


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _tasks(text: str | None, folder: Path | None) -> list[str]:
    if text is not None and not _names(text):
        raise BadInput("--tasks: expected names of tasks, got none")
    if folder is not None and text is None:
        raise BadInput("--tasks-folder: expected --tasks with it, got none")
    return _names(text or "")


def _files(texts: tuple[str, ...]) -> dict[str, Path]:
    """Datasets by the name of their arm."""
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, path = (part.strip() for part in text.partition("="))
        if not (name and equals and path) or name in found:
            raise BadInput(f"--arm: expected NAME=FILE with a name of its own, got {text!r}")
        found[name] = Path(path)
    return found
