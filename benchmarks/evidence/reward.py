"""Experiment 2 of CLAIMS.md: does each part of the reward train a better student?

    python benchmarks/evidence/reward.py prepare DATA FOLDER [--replicates 5] [KEY=VALUE]...
    python benchmarks/evidence/reward.py train DATA FACTS FOLDER --student packaged:smollm2-135m-instruct
        --learning-rate 1e-4 [--tokens 60000] [--gpus 1] [--processes 8]
    python benchmarks/evidence/reward.py table FACTS [STUDENTS]

`prepare` makes the runs, needs Ray and writes FACTS (FOLDER/facts.json): choices, costs and measures without
text. `train` needs FACTS, DATA and the packages of `staragents[train]`, but no Ray, so that it can run on
another machine. It writes STUDENTS, a folder in FOLDER with a JSON file per student. Each repeats nothing
that is done: run the same command to resume.

DATA has `recorded_agents.jsonl.gz` (instruction, win {agent: probability}, response {agent: text}) and
`alpacaeval_answers_200.jsonl.gz` (instruction, answers {model: text}), in it or in its folders.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import click
import yaml
from choosing import ANSWERS, RECORDED
from command import run
from reward_arms import ARMS, DEFAULT, OTHERS, facts_of_replicate
from reward_choices import choices_checksum, known_checksum
from reward_runs import read_facts, show_runs
from reward_students import Planning
from reward_table import show
from students import MAX_LENGTH, STEP_TOKENS, WRITERS, Task, found
from students import train as train_students
from table import read
from weak_agent import CONFIG, LARGER, TARGET, Weak

from staragents.config import EvaluationConfig
from staragents.evaluation.choices import PAIR
from staragents.files.atomic_file import write_text

FACTS = "facts.json"
FOLDER = click.Path(file_okay=False, path_type=Path)
DATA = click.Path(exists=True, file_okay=False, path_type=Path)
FACTS_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.argument("data", type=DATA)
@click.argument("folder", type=FOLDER)
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--weak", default="alpaca-7b", help="The agent whose responses the seeds have.")
@click.option("--prompts", type=click.IntRange(1), help="So many of the prompts; unset: all.")
@click.option("--draws", default=4, show_default=True, type=click.IntRange(1))
@click.option("--replicates", default=5, show_default=True, type=click.IntRange(1))
@click.option(
    "--first-seed", default=0, show_default=True, help="run.seed of replicate 0; the next have the next."
)
@click.option("--target", default=TARGET, show_default=True)
@click.option("--larger", default=LARGER, show_default=True)
@click.option("--scores", type=click.Path(path_type=Path), help="Losses for other folders; unset: in FOLDER.")
def prepare(
    data: Path,
    folder: Path,
    overrides: tuple[str, ...],
    weak: str,
    prompts: int | None,
    draws: int,
    replicates: int,
    first_seed: int,
    target: str,
    larger: str,
    scores: Path | None,
) -> None:
    """Run every policy on the recorded answers of the other agents, with settings as KEY=VALUE.

    A replicate is one `staragents compare`, which gives every policy the words that the default one used. All
    replicates share one file of losses, so that no answer is scored twice.
    """
    recorded = Weak.read(found(data, RECORDED), weak, prompts)
    folder.mkdir(parents=True, exist_ok=True)
    scoring = {
        # The same number type on every machine, so that its losses are the same.
        "target": {"model": target, "dtype": "float32"},
        "larger": {"model": larger, "dtype": "float32"},
        "cache_path": str((scores or folder / "scores.sqlite").absolute()),
    }
    recorded.write(folder, replicates, {"evolution": {"draws": draws}, "scoring": scoring})
    variants = [DEFAULT]
    for policy in OTHERS:
        variants.append(str(folder / f"{policy}.yaml"))
        write_text(Path(variants[-1]), yaml.safe_dump({"evolution": {"policy": policy}}))
    facts = []
    for replicate in range(replicates):
        begun = time.monotonic()
        place = folder / str(replicate)
        shared = {
            "seeds.path": recorded.seeds_file(folder, replicate).absolute(),
            "run.seed": first_seed + replicate,
        }
        words = ["compare", str(folder / CONFIG), *(f"{key}={value}" for key, value in shared.items())]
        words += [*overrides, "--ablation", ",".join(variants), "-o", str(place)]
        if code := subprocess.run([sys.executable, "-m", "staragents", *words]).returncode:
            sys.exit(code)
        facts.append(facts_of_replicate(place, replicate, recorded))
        write_text(folder / FACTS, json.dumps(facts) + "\n")
        click.echo(f"replicate {replicate}: {time.monotonic() - begun:.0f} s")


@main.command()
@click.argument("data", type=DATA)
@click.argument("facts", type=FACTS_FILE)
@click.argument("folder", type=FOLDER)
@click.option("--student", required=True)
@click.option("--arms", default=",".join(ARMS), help="Unset: all of them.")
@click.option("--pairs", default=2, show_default=True, type=click.IntRange(0), help="Replicates by agent.")
@click.option("--replicates", type=click.IntRange(1), help="Unset: all that are prepared.")
@click.option("--tokens", default=60_000, show_default=True, type=click.IntRange(1))
@click.option("--learning-rate", required=True, type=float, help="As `choosing.py --tune` finds it.")
@click.option("--held-out-rows", type=click.IntRange(1), help="Measure on the first prompts; unset: all 160.")
@click.option("--gpus", default=0.0, type=float)
@click.option("--processes", default=1, type=click.IntRange(1), help="Students at the same time.")
def train(
    data: Path,
    facts: Path,
    folder: Path,
    student: str,
    arms: str,
    pairs: int,
    replicates: int | None,
    tokens: int,
    learning_rate: float,
    held_out_rows: int | None,
    gpus: float,
    processes: int,
) -> None:
    """Train a student on every arm of every replicate and measure it on the held-out answers."""
    names = [name for name in arms.split(",") if name]
    if unknown := set(names) - set(ARMS):
        raise click.BadParameter(f"expected some of {', '.join(ARMS)}, got {unknown}", param_hint="--arms")
    choices = [one["choices"] for one in read_facts(facts)][:replicates]
    weak = Weak.read(found(data, RECORDED), choices[0]["weak"])
    settings = EvaluationConfig(
        max_length=MAX_LENGTH,
        step_tokens=STEP_TOKENS,
        tokens=tokens,
        num_gpus=gpus,
        num_cpus=max(1, (os.cpu_count() or 1) // processes),
        learning_rate=learning_rate,
    )
    place = folder / f"{Path(student.replace(':', '/')).name}-{tokens}-{learning_rate:g}"
    with tempfile.TemporaryDirectory() as checkpoints:
        planning = Planning(found(data, ANSWERS), weak, student, settings, Path(checkpoints), held_out_rows)
        tasks = [
            Task(job, held_out, place, choices_checksum(choices[job.cell.training_seed], job.cell.arm))
            for job, held_out in planning.jobs(choices, names, by_pair=pairs)
        ]
        # Three of the four questions need no pair.
        tasks.sort(key=lambda task: task.job.cell.arm.startswith(PAIR))
        click.echo(f"{len(tasks)} students, {tokens:,} response tokens, {', '.join(WRITERS)}")
        train_students(tasks, processes)


@main.command()
@click.argument("facts", type=FACTS_FILE)
@click.argument("students", required=False, type=click.Path(exists=True, path_type=Path))
def table(facts: Path, students: Path | None) -> None:
    """What the runs earned and cost; with STUDENTS, the arms and the answers to the four questions.

    STUDENTS is a folder with one JSON file per student or a .jsonl.gz with one line per student.
    """
    made = read_facts(facts)
    show_runs(made)
    if students is not None:
        show(read(students, partial(known_checksum, [one["choices"] for one in made])), made)


if __name__ == "__main__":
    run(main)
