"""Trains students on what runs made and on alternatives to it, and says which was better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from cluster.driver.evaluation_files import check_folder, write_evaluation
from cluster.driver.student_judge import StudentJudge
from cluster.driver.students import CHECKPOINTS, Students
from staragents.base.digest import digest_of
from staragents.base.errors import BadInput
from staragents.config import ColumnsConfig, Config, EvaluationConfig, FiltersConfig
from staragents.evaluation.arms import Arms, arms_of
from staragents.evaluation.build import evaluation_of
from staragents.evaluation.contamination import without_contaminated
from staragents.evaluation.defaults import completed
from staragents.evaluation.evaluation import Evaluation, HeldOutFacts
from staragents.evaluation.harness import checked_tasks
from staragents.evaluation.held_out import HeldOut, about_prompts, prompts_of
from staragents.evaluation.held_out_file import read_held_out
from staragents.evaluation.packages import check_packages
from staragents.evaluation.plan import Plan, plan_of
from staragents.evaluation.power import Power, power_of
from staragents.evaluation.student import Student
from staragents.evaluation.training_time import seconds_for
from staragents.models.model_names import resolve_model
from staragents.run_directory.run_lock import command_lock


@dataclass(frozen=True, slots=True)
class Question:
    """What a command asks for. `held_out_rows`: how many of the held-out conversations to draw; `difference`:
    nats per token that must be detectable, or the work does not start; `files`: further arms by name;
    `columns`: the user's names in these and the held-out file; `judge`: the config of the run whose judge
    compares the students' answers, with its directory; `tasks`: of lm-evaluation-harness, with a folder of
    further ones."""

    runs: Sequence[Path]
    held_out: str
    settings: EvaluationConfig
    files: Mapping[str, Path] = field(default_factory=dict)
    by_pair: bool = False
    held_out_rows: int | None = None
    difference: float | None = None
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    judge: tuple[Config, Path] | None = None
    tasks: Sequence[str] = ()
    tasks_folder: Path | None = None


class Evaluating:
    """One evaluation in its own folder. Running it again resumes it."""

    def __init__(self, question: Question, folder: Path, say: Callable[[str], None]) -> None:
        self._question = question
        self._folder = folder
        self._say = say

    def run(self) -> Evaluation:
        """Train what is not trained yet, write evaluate.html and evaluate.json.

        Raises BadInput before any training if the question can't be answered, or if a student does not fit or
        all diverge; RunFailed if Ray fails. Finished students stay.
        """
        check_packages()
        with command_lock(self._folder, "--output"):
            check_folder(self._folder)
            result = self._evaluated()
            write_evaluation(self._folder, result)
        return result

    def _evaluated(self) -> Evaluation:
        question = self._question
        judge = None if question.judge is None else StudentJudge(*question.judge, self._folder, self._say)
        notes: list[str] = []
        held_out = read_held_out(question.held_out, question.held_out_rows, question.columns, notes.append)
        arms = arms_of(
            question.runs,
            question.settings.arms,
            question.files,
            by_pair=question.by_pair,
            columns=question.columns,
        )
        if not arms.arms:
            raise BadInput("evaluation.arms: expected at least one arm, got none")
        held_out, seen = without_contaminated(arms.arms, held_out, question.held_out, FiltersConfig().ngram)
        arms = replace(arms, warnings=(*notes, *arms.warnings, *seen))
        settings, plan = self._planned(arms, held_out)
        arms = arms.without(plan.too_long)
        prompts = prompts_of(plan.held_out)
        self._check_power(power_of(plan.conversations, settings.training_seeds, arms.compared))
        left_out = [*_too_long(plan, len(held_out)), *about_prompts(prompts)]
        self._tell(plan, (*arms.warnings, *left_out), arms, settings)
        if judge is not None:
            self._say(_to_judge(plan, judge))
        results = Students(plan, settings, self._folder, self._say).results()
        judged = None
        if judge is not None:
            judged = judge.judged(plan.held_out, results, settings.answer_tokens)
            results = judged.results
        return evaluation_of(
            arms,
            results,
            student=settings.student,
            runs=[str(run) for run in question.runs],
            settings=asdict(settings),
            held_out=_facts(question.held_out, plan.held_out),
            answer_tokens=plan.answer_tokens,
            prompts=prompts,
            warnings=[*left_out, *(judged.warnings if judged else ())],
            judge=judged.facts if judged else None,
        )

    def _planned(self, arms: Arms, held_out: Sequence[HeldOut]) -> tuple[EvaluationConfig, Plan]:
        """The settings, with the defaults that depend on the student, and the plan."""
        settings = self._question.settings
        try:
            path = resolve_model(settings.student)
        except BadInput as error:
            raise BadInput(f"--student: {error}") from error
        student = Student(path, settings.template, settings.max_length)
        settings = replace(
            completed(settings, path, student.revision),
            template=student.template,
            max_length=student.max_length,
        )
        question = self._question
        tasks = None
        if question.tasks:
            tasks = checked_tasks(question.tasks, question.tasks_folder, settings.task_limit)
        return settings, plan_of(
            arms.distinct,
            held_out,
            student,
            settings,
            (self._folder / CHECKPOINTS).absolute(),
            judged=question.judge is not None,
            tasks=tasks,
        )

    def _check_power(self, power: Power) -> None:
        """Say what can be seen. Raises BadInput if that is not what was asked for."""
        self._say(str(power))
        wanted = self._question.difference
        if wanted is not None and (power.difference is None or power.difference > wanted):
            found = "none" if power.difference is None else f"{power.difference:.3f} or more"
            raise BadInput(
                "--difference: expected enough held-out conversations and training seeds to detect "
                f"{wanted:g} nats per token, got {power.conversations} and {power.training_seeds}, which can "
                f"detect {found}"
            )

    def _tell(self, plan: Plan, warnings: Sequence[str], arms: Arms, settings: EvaluationConfig) -> None:
        """The plan, before the work starts."""
        for warning in warnings:
            self._say(f"note: {warning}")
        for arm in arms.arms:
            filled = f", {arm.filled} of them unchanged seeds" if arm.filled else ""
            self._say(f"arm {arm.name}: {len(arm.rows)} rows{filled}")
        seconds = seconds_for(plan.jobs[0].path, sum(map(plan.work, plan.jobs)), settings)
        time = "" if seconds is None else f"; about {max(1, round(seconds / 60))} min one after another"
        tasks = plan.jobs[0].tasks
        scored = f", scored on {', '.join(tasks.names)}" if tasks else ""
        time += ", without the tasks" if tasks and time else ""
        adapters = f"adapters of rank {settings.lora_rank}" if settings.lora_rank else "all weights"
        self._say(
            f"{len(plan.jobs)} students, {settings.training_seeds} per arm and one untrained; {adapters}, "
            f"{plan.tokens:,} answer tokens in {plan.steps} step{'s' if plan.steps != 1 else ''} each; "
            f"measured on {plan.conversations} conversations, {plan.measured_tokens:,} tokens{scored}{time}"
        )


def _to_judge(plan: Plan, judge: StudentJudge) -> str:
    settings, students = plan.jobs[0].settings, len(plan.jobs) - 1
    return (
        f"each student answers {len(plan.asked)} prompts with at most {settings.answer_tokens} tokens; the "
        f"judge, {judge.name}, compares them with the untrained student's: at most "
        f"{judge.most_requests * students * len(plan.asked):,} requests"
    )


def _facts(path: str, held_out: Sequence[HeldOut]) -> HeldOutFacts:
    digest = digest_of([[one.conversation_id, sorted(one.answers)] for one in held_out])
    writers = dict.fromkeys(writer for one in held_out for writer in one.answers)
    return HeldOutFacts(path, digest, len(held_out), list(writers))


def _too_long(plan: Plan, held_out: int) -> list[str]:
    """What is left out of `held_out` conversations and of the seeds."""
    left_out = {
        "seeds are in no arm": len(plan.too_long),
        "held-out conversations are not measured": held_out - len(plan.held_out),
    }
    return [
        f"{number} {what}: the prompt leaves no room within evaluation.max_length"
        for what, number in left_out.items()
        if number
    ]
