"""Experiment 1 of CLAIMS.md: do responses that the policy chooses train a better student than others?

    python benchmarks/evidence/choosing.py DATA [--student packaged:smollm2-135m-instruct] [--arms U,P]
        [--replicates 5] [--tokens 60000] [--learning-rate 3e-5] [--tune] [--output FOLDER]

DATA has `recorded_agents.jsonl.gz` (instruction, win {agent: probability}, response {agent: text}) and
`alpacaeval_answers_200.jsonl.gz` (instruction, answers {model: text}), in it or in its folders. The result of
every student is written when it is there; the same command repeats none of them. `--tune` trains arm U with
four learning rates and measures them on prompts that are not used otherwise.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from responses import choices

from cluster.cli.replay import embed
from staragents.base.messages import with_exchange
from staragents.base.records import stable_id, stable_seed
from staragents.config import EvaluationConfig
from staragents.data.readers.content import opened
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.evaluation.cell import BASE
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.held_out import HeldOut
from staragents.evaluation.held_out_file import read_held_out
from staragents.evaluation.plan import cell_name, plan_of
from staragents.evaluation.student import Student
from staragents.files.atomic_file import write_text
from staragents.models.packaged_models import resolve_model
from staragents.replay.nearness import Nearness
from staragents.replay.recorded_table import RecordedTable
from staragents.scoring.identity import model_identity

RATES = (1e-5, 3e-5, 1e-4, 3e-4)
WRITERS = ("Mixtral-8x22B-Instruct-v0.1", "mistral-large-2402", "Meta-Llama-3-70B-Instruct")
TUNED_ON = 40
MAX_LENGTH = 640
STEP_TOKENS = 1024
ARMS = ("W", "U", "L", "B", "P", "F", "O")


@dataclass(frozen=True)
class Recorded:
    """The recorded responses. `responses[i][a]` answers `table.instructions[i]`."""

    table: RecordedTable
    responses: list[dict[str, str]]
    words: np.ndarray
    nearness: Nearness

    @classmethod
    def read(cls, path: Path) -> Recorded:
        table = RecordedTable.read(path)
        with opened(path, str(path)) as content:
            responses = [json.loads(line)["response"] for line in content.lines()]
        words = np.array([[len(row[agent].split()) for agent in table.agents] for row in responses], float)
        return cls(table, responses, words, Nearness(embed(table.instructions, "packaged:all-minilm-l6-v2")))

    def arms(self, replicate: int, names: tuple[str, ...]) -> Iterator[Arm]:
        chosen = choices(self.table, self.words, self.nearness, replicate)
        for name in names:
            yield Arm(
                name,
                tuple(
                    TrainingRow(
                        stable_id("recorded", instruction),
                        with_exchange((), instruction, row[self.table.agents[column]]),
                    )
                    for instruction, row, column in zip(
                        self.table.instructions, self.responses, chosen[name].tolist(), strict=True
                    )
                ),
            )


def held_out_prompts(path: Path, writers: tuple[str, ...]) -> tuple[list[HeldOut], list[HeldOut]]:
    """The prompts for the learning rate, and those for the endpoint."""
    every = sorted(read_held_out(str(path)), key=lambda one: stable_seed("tuned", one.conversation_id))
    kept = [
        dataclasses.replace(one, answers={writer: one.answers[writer] for writer in writers}) for one in every
    ]
    return kept[:TUNED_ON], kept[TUNED_ON:]


def found(folder: Path, name: str) -> Path:
    """The file in `folder` or one of its folders."""
    for path in (folder / name, *sorted(folder.glob(f"*/{name}"))):
        if path.exists():
            return path
    raise click.BadParameter(f"expected {name} in it, got none", param_hint="DATA")


def measured(job: CellJob, held_out: list[HeldOut], output: Path) -> dict[str, Any]:
    """The saved result, trained and measured if it is not there."""
    path = output / f"{cell_name(job.cell)}.json"
    print_ = job.fingerprint(held_out)
    if path.exists() and (saved := json.loads(path.read_text())).pop("fingerprint") == print_:
        return saved
    result = job.run(held_out).as_dict()
    for by_writer in result["losses"].values():
        for loss in by_writer.values():
            loss[0] = round(loss[0], 6)
    write_text(path, json.dumps({"fingerprint": print_, **result}) + "\n")
    return result


def mean_loss(result: dict[str, Any]) -> float:
    """Mean over prompts of the mean over writers, in nats a token."""
    return float(np.mean([np.mean([one[0] for one in some.values()]) for some in result["losses"].values()]))


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--student", default="packaged:smollm2-135m-instruct")
@click.option("--arms", default=",".join(ARMS))
@click.option("--replicates", default=5, type=click.IntRange(1))
@click.option("--tokens", default=60_000, type=click.IntRange(1))
@click.option("--learning-rate", default=3e-5, type=float)
@click.option("--tune", is_flag=True)
@click.option("--all-writers", is_flag=True, help="Also measure the writers that are reported apart.")
@click.option("--gpus", default=0.0, type=float)
@click.option("-o", "--output", default="benchmarks/evidence/results", type=click.Path(path_type=Path))
def main(
    data: Path,
    student: str,
    arms: str,
    replicates: int,
    tokens: int,
    learning_rate: float,
    tune: bool,
    all_writers: bool,
    gpus: float,
    output: Path,
) -> None:
    names = ("U",) if tune else tuple(arms.split(","))
    if unknown := set(names) - set(ARMS):
        raise click.BadParameter(f"expected some of {', '.join(ARMS)}, got {unknown}", param_hint="--arms")
    recorded = Recorded.read(found(data, "recorded_agents.jsonl.gz"))
    answers = found(data, "alpacaeval_answers_200.jsonl.gz")
    writers = tuple(next(iter(read_held_out(str(answers)))).answers) if all_writers else WRITERS
    tuning, endpoint = held_out_prompts(answers, writers)
    path = resolve_model(student)
    folder = output / student.replace("/", "-").replace("packaged:", "") / f"{tokens}"
    settings = EvaluationConfig(max_length=MAX_LENGTH, step_tokens=STEP_TOKENS, tokens=tokens, num_gpus=gpus)
    reader = Student(path, None, MAX_LENGTH)
    with tempfile.TemporaryDirectory() as checkpoints:
        for replicate in range(1 if tune else replicates):
            rows = list(recorded.arms(replicate, names))
            for rate in RATES if tune else (learning_rate,):
                used = dataclasses.replace(settings, learning_rate=rate)
                plan = plan_of(
                    rows, tuning if tune else endpoint, reader, used, model_identity(path), Path(checkpoints),
                    seeds=(replicate,),
                )  # fmt: skip
                for job in plan.jobs:
                    if job.cell.arm == BASE and (tune or replicate):
                        continue
                    result = measured(
                        job, list(plan.held_out), folder / (f"tune-{rate:g}" if tune else "cells")
                    )
                    click.echo(
                        f"{job.cell.arm} {replicate} rate {rate:g}: loss {mean_loss(result):.4f}, "
                        f"{result['trained_tokens']:,} tokens of {result['rows']} rows in {result['steps']} "
                        f"steps, {result['seconds']:.0f} s"
                    )


if __name__ == "__main__":
    main()
