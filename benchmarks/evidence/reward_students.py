"""The students of experiment 2 (CLAIMS.md), one for every arm of every replicate."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click
from reward_choices import arms_from
from students import MAX_LENGTH, WRITERS, held_out_prompts
from weak_agent import Weak

from staragents.base.errors import BadInput
from staragents.config import EvaluationConfig, FiltersConfig
from staragents.evaluation.arm import Arm
from staragents.evaluation.cell import BASE
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.choices import PAIR, SEEDS
from staragents.evaluation.contamination import without_contaminated
from staragents.evaluation.held_out import HeldOut
from staragents.evaluation.plan import plan_of
from staragents.evaluation.student import Student
from staragents.models.model_names import resolve_model


class Planning:
    """The students of each replicate."""

    def __init__(
        self,
        answers: Path,
        weak: Weak,
        student: str,
        settings: EvaluationConfig,
        checkpoints: Path,
        held_out_rows: int | None,
    ) -> None:
        """`answers`: the held-out file, of which `held_out_rows` prompts are used."""
        path = resolve_model(student)
        self._weak = weak
        self._answers = answers
        self._held_out = held_out_prompts(answers, WRITERS)[1][:held_out_rows]
        self._student = Student(path, None, MAX_LENGTH)
        self._settings = settings
        self._checkpoints = checkpoints

    def jobs(
        self, replicates: Sequence[dict[str, Any]], names: list[str], by_pair: int
    ) -> list[tuple[CellJob, tuple[HeldOut, ...]]]:
        """Each with its held-out prompts. `replicates`: their choices; the first `by_pair` of them have the
        arms of pairs. The untrained student is in the first one only."""
        every = [arms_from(choices, self._weak) for choices in replicates]
        if not names and not by_pair:
            raise BadInput("--arms: expected an arm, or --pairs above 0")
        held_out, notes = without_contaminated(
            list(chain(*every)), self._held_out, str(self._answers), FiltersConfig().ngram
        )
        for note in notes:
            click.echo(note)
        return [
            job
            for number, arms in enumerate(every)
            for job in self._of_replicate(number, arms, held_out, names, number < by_pair)
        ]

    def _of_replicate(
        self,
        replicate: int,
        every: Sequence[Arm],
        held_out: Sequence[HeldOut],
        names: list[str],
        by_pair: bool,
    ) -> list[tuple[CellJob, tuple[HeldOut, ...]]]:
        plan = plan_of(
            [arm for arm in every if arm.name in names or (by_pair and _by_pair(arm.name))],
            held_out,
            self._student,
            self._settings,
            self._checkpoints,
            training_seeds=(replicate,),
        )
        return [(job, plan.held_out) for job in plan.jobs if job.cell.arm != BASE or not replicate]


def _by_pair(name: str) -> bool:
    """Whether the fourth question needs this arm."""
    return name.startswith(PAIR) or name == SEEDS
