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
from command import run
from responses import choices
from students import MAX_LENGTH, STEP_TOKENS, WRITERS, Task, found, held_out_prompts, train

from staragents.base.digest import digest_of
from staragents.base.errors import BadInput
from staragents.base.messages import with_exchange
from staragents.base.records import stable_id
from staragents.config import Config, EvaluationConfig
from staragents.data.readers.content import opened
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.evaluation.cell import BASE
from staragents.evaluation.held_out_file import read_held_out
from staragents.evaluation.plan import plan_of
from staragents.evaluation.student import Student
from staragents.files.atomic_file import write_text
from staragents.models.model_names import resolve_model
from staragents.replay.nearness import Nearness
from staragents.replay.recorded_table import RecordedTable

RATES = (1e-5, 3e-5, 1e-4, 3e-4)
RECORDED, ANSWERS = "recorded_agents.jsonl.gz", "alpacaeval_answers_200.jsonl.gz"
ARMS = ("W", "U", "L", "B", "P", "F", "O")


@dataclass(frozen=True)
class Recorded:
    """The recorded responses. `responses[i][a]` answers `table.instructions[i]`."""

    table: RecordedTable
    responses: list[dict[str, str]]

    @classmethod
    def read(cls, path: Path) -> Recorded:
        with opened(path, str(path)) as content:
            return cls(RecordedTable.read(path), [json.loads(line)["response"] for line in content.lines()])

    def arms(self, names: tuple[str, ...], chosen: dict[str, list[int]]) -> list[Arm]:
        return [Arm(name, tuple(self._rows(chosen[name]))) for name in names]

    def _rows(self, columns: list[int]) -> Iterator[TrainingRow]:
        for instruction, row, column in zip(self.table.instructions, self.responses, columns, strict=True):
            messages = with_exchange((), instruction, row[self.table.agents[column]])
            yield TrainingRow(stable_id("recorded", instruction), messages)

    def choices(self, replicates: int, path: Path) -> list[dict[str, list[int]]]:
        """The choices of every replicate, kept in the file `path`, as they need the embedder.

        Raises BadInput if the file has those of other data or of another policy.
        """
        made_of = digest_of([self.table.instructions, self.responses, self.table.rewards.tolist(), Config()])
        saved: dict[str, Any] = {"made_of": made_of, "choices": []}
        if path.exists():
            saved = json.loads(path.read_text())
        if saved["made_of"] != made_of:
            raise BadInput(f"{path}: is of other data or another default policy; choose another --output")
        known: list[dict[str, list[int]]] = saved["choices"]
        if len(known) < replicates:
            from cluster.cli.replay import embed

            agents = self.table.agents
            words = np.array([[len(row[agent].split()) for agent in agents] for row in self.responses], float)
            nearness = Nearness(embed(self.table.instructions, "packaged:all-minilm-l6-v2"))
            for replicate in range(len(known), replicates):
                found = choices(self.table, words, nearness, replicate)
                known.append({name: columns.tolist() for name, columns in found.items()})
            write_text(path, json.dumps(saved) + "\n")
        return known[:replicates]


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
@click.option("--processes", default=1, type=click.IntRange(1), help="Students at the same time.")
@click.option("-o", "--output", default="runs/evidence", type=click.Path(path_type=Path))
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
    processes: int,
    output: Path,
) -> None:
    names = ("U",) if tune else tuple(arms.split(","))
    if unknown := set(names) - set(ARMS):
        raise click.BadParameter(f"expected some of {', '.join(ARMS)}, got {unknown}", param_hint="--arms")
    answers = found(data, ANSWERS)
    writers = tuple(next(iter(read_held_out(str(answers)))).answers) if all_writers else WRITERS
    tuning, endpoint = held_out_prompts(answers, writers)
    recorded = Recorded.read(found(data, RECORDED))
    output.mkdir(parents=True, exist_ok=True)
    chosen = recorded.choices(1 if tune else replicates, output / "choices.json")
    path = resolve_model(student)
    folder = output / student.rpartition("/")[2].replace("packaged:", "") / ("tune" if tune else str(tokens))
    settings = EvaluationConfig(max_length=MAX_LENGTH, step_tokens=STEP_TOKENS, tokens=tokens, num_gpus=gpus)
    reader = Student(path, None, MAX_LENGTH)
    tasks = []
    with tempfile.TemporaryDirectory() as checkpoints:
        for replicate, choice in enumerate(chosen):
            for rate in RATES if tune else (learning_rate,):
                plan = plan_of(
                    recorded.arms(names, choice),
                    tuning if tune else endpoint,
                    reader,
                    dataclasses.replace(settings, learning_rate=rate),
                    Path(checkpoints) / f"{rate:g}",
                    training_seeds=(replicate,),
                )
                place = folder / f"{rate:g}"
                tasks += [
                    Task(job, plan.held_out, place)
                    for job in plan.jobs
                    if job.cell.arm != BASE or not (tune or replicate)
                ]
        click.echo(f"{len(tasks)} students, {len(tasks[-1].held_out)} held-out prompts, {', '.join(writers)}")
        train(tasks, processes)


if __name__ == "__main__":
    run(main)
