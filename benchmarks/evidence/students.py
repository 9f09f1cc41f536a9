"""Trains the students of an experiment, several at once, and keeps the result of each."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from table import mean_loss

from staragents.base.errors import BadInput
from staragents.base.records import stable_seed
from staragents.evaluation.cell import CellResult
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.held_out import HeldOut
from staragents.evaluation.held_out_file import read_held_out
from staragents.evaluation.plan import cell_name
from staragents.files.atomic_file import write_text

WRITERS = ("Mixtral-8x22B-Instruct-v0.1", "mistral-large-2402", "Meta-Llama-3-70B-Instruct")
TUNED_ON = 40
MAX_LENGTH = 640
STEP_TOKENS = 1024


@dataclass(frozen=True)
class Task:
    """A student, what it is measured on, and the folder of its result.

    `choices`: checksum of the choices that its arm is, kept with the result; empty where the tables have no
    choices to compare it with.
    """

    job: CellJob
    held_out: Sequence[HeldOut]
    folder: Path
    choices: str = ""

    @property
    def file(self) -> Path:
        return self.folder / f"{cell_name(self.job.cell)}.json"


def found(folder: Path, name: str) -> Path:
    """The file in `folder` or one of its folders."""
    for path in (folder / name, *sorted(folder.glob(f"*/{name}"))):
        if path.exists():
            return path
    raise click.BadParameter(f"expected {name} in it, got none", param_hint="DATA")


def held_out_prompts(path: Path, writers: tuple[str, ...]) -> tuple[list[HeldOut], list[HeldOut]]:
    """The prompts for the learning rate, and those for the endpoint."""
    every = sorted(read_held_out(str(path)), key=lambda one: stable_seed("tuned", one.conversation_id))
    kept = [
        dataclasses.replace(one, answers={writer: one.answers[writer] for writer in writers}) for one in every
    ]
    return kept[:TUNED_ON], kept[TUNED_ON:]


def train(tasks: Sequence[Task], processes: int) -> None:
    """The students one after another in each process, with a line for each; those with a result are read.

    Raises BadInput if a folder has the result of other data, weights or settings under the same name."""
    for task in tasks:
        _saved(task)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context) as pool:
        for task, result in zip(tasks, pool.map(measured, tasks), strict=True):
            job = task.job
            loss = mean_loss(CellResult.from_dict(result))
            click.echo(
                f"{job.cell.arm} {job.cell.training_seed}, rate {job.settings.learning_rate:g}: loss "
                f"{loss:.4f}, {result['trained_tokens']:,} tokens of {result['rows']} rows in "
                f"{result['steps']} steps, {result['seconds']:.0f} s"
            )


def measured(task: Task) -> dict[str, Any]:
    """The saved result, trained and measured if it is not there."""
    saved = _saved(task)
    if saved is not None:
        return saved
    job = task.job
    student = job.run(task.held_out)
    if student.diverged:
        raise BadInput(f"arm {job.cell.arm}, replicate {job.cell.training_seed}: {student.diverged}")
    result = student.as_dict()
    for by_writer in result["losses"].values():
        for loss in by_writer.values():
            loss[0] = round(loss[0], 6)
    task.folder.mkdir(parents=True, exist_ok=True)
    about = {"fingerprint": job.fingerprint(task.held_out), "choices": task.choices}
    write_text(task.file, json.dumps({**about, **result}) + "\n")
    shutil.rmtree(job.folder, ignore_errors=True)  # its checkpoints, which are larger than the student
    return result


def _saved(task: Task) -> dict[str, Any] | None:
    path = task.file
    if not path.exists():
        return None
    try:
        saved = dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise BadInput(
            f"{path}: expected the result of a student ({error}); delete it to repeat it"
        ) from error
    if saved.pop("fingerprint", None) != task.job.fingerprint(task.held_out):
        raise BadInput(f"{path}: is of other data, weights or settings; choose another folder")
    saved.pop("choices", None)
    return saved
