"""All students that an evaluation trains, with equal work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import mean

from staragents.base.errors import BadInput
from staragents.base.messages import Message
from staragents.base.records import stable_seed
from staragents.config import EvaluationConfig
from staragents.evaluation.arm import Arm
from staragents.evaluation.cell import BASE, Cell
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.defaults import step_tokens_for
from staragents.evaluation.harness_tasks import HarnessTasks
from staragents.evaluation.held_out import HeldOut, prompts_of
from staragents.evaluation.judged_prompt import JudgedPrompt, judged_prompts
from staragents.evaluation.steps import Steps, steps_of
from staragents.evaluation.student import Student
from staragents.scoring.conventions import Span


@dataclass(frozen=True, slots=True)
class Plan:
    """`jobs` begin with the untrained student, then all arms of one training seed after those of the other.
    Each trained student learns `tokens` answer tokens in `steps` steps."""

    jobs: tuple[CellJob, ...]
    held_out: tuple[HeldOut, ...]
    rows: int
    too_long: frozenset[str]
    """Ids of seeds that no arm has, because in one of them the prompt leaves no room for an answer."""
    tokens: int
    steps: int
    answer_tokens: Mapping[str, float]
    """Mean tokens of an answer by arm, with EOS."""
    measured_tokens: int
    """Tokens of all held-out prompts and answers."""
    asked: tuple[JudgedPrompt, ...] = ()
    """The prompts that every student answers for the judge."""

    @property
    def conversations(self) -> int:
        """Held-out conversations; those of one prompt count once."""
        return len(set(prompts_of(self.held_out).values()))

    def work(self, job: CellJob) -> int:
        """Token passes through the model: three for a token that is trained, as the backward pass takes twice
        the time of the forward pass, and one for a token that is measured or written. Tasks do not count."""
        trained = sum(len(span.ids) for step in job.steps for span in step)
        written = sum(len(one.ids) + job.settings.answer_tokens for one in job.asked)
        return 3 * trained + self.measured_tokens + written


def plan_of(
    arms: Sequence[Arm],
    held_out: Iterable[HeldOut],
    student: Student,
    settings: EvaluationConfig,
    folder: Path,
    training_seeds: Sequence[int] | None = None,
    judged: bool = False,
    tasks: HarnessTasks | None = None,
) -> Plan:
    """The plan for at least one arm. Seeds that do not fit in one arm are in none.

    `folder`: for checkpoints. `training_seeds`: from 0 on, as many as the settings say, unless given.
    `judged`: whether students answer prompts for the judge. Raises BadInput if nothing is left to train,
    measure or judge on.
    """
    # Arms share rows: unchanged seeds, and candidates that several choose.
    tokens_of = cache(student.tokens)
    # Not by id: the rows of a file may be equal, and each counts.
    spans = {arm.name: [(row.seed_id, tokens_of(row.messages)) for row in arm.rows] for arm in arms}
    too_long = frozenset(seed_id for some in spans.values() for seed_id, span in some if span is None)
    kept = {
        name: [span for seed_id, span in some if span is not None and seed_id not in too_long]
        for name, some in spans.items()
    }
    if not all(kept.values()):
        longest = max(spans, key=lambda name: sum(span is None for _, span in spans[name]))
        raise BadInput(
            f"evaluation.max_length: expected prompts with at most {student.max_length - 2} tokens, got "
            f"longer ones in {longest}"
        )
    lengths = {name: [span.tokens for span in some] for name, some in kept.items()}
    tokens = settings.tokens or max(1, round(min(map(sum, lengths.values())) * settings.epochs))
    step_tokens = settings.step_tokens or step_tokens_for(tokens)
    measurable, measured_tokens = _measurable(held_out, student)
    identity = student.identity  # reads files
    jobs = [_job(Cell(BASE, 0), (), (), student, settings, identity, folder)]
    for seed in range(settings.training_seeds) if training_seeds is None else training_seeds:
        steps = steps_of(lengths, tokens=tokens, step_tokens=step_tokens, training_seed=seed)
        jobs += [
            _job(Cell(name, seed), steps[name], some, student, settings, identity, folder)
            for name, some in kept.items()
        ]
    scored = None if tasks is None else tasks.after_thoughts(student.thought_end)
    asked = judged_prompts(measurable, student, settings) if judged else ()
    return Plan(
        jobs=tuple(replace(job, asked=asked, tasks=scored) for job in jobs),
        held_out=measurable,
        rows=max(map(len, kept.values())),
        too_long=too_long,
        tokens=tokens,
        steps=len(jobs[-1].steps),
        answer_tokens={name: mean(some) for name, some in lengths.items()},
        measured_tokens=measured_tokens,
        asked=asked,
    )


def _measurable(held_out: Iterable[HeldOut], student: Student) -> tuple[tuple[HeldOut, ...], int]:
    """The conversations with an answer that fits, and their number of tokens. Raises BadInput if no answer
    will have a loss."""
    found, tokens = [], 0
    blank = True
    for one in held_out:
        spans = [student.tokens((*one.prompt, Message("assistant", text))) for text in one.answers.values()]
        if fitting := [len(span.ids) for span in spans if span is not None]:
            found.append(one)
            blank &= not any(text.strip() for text in one.answers.values())
            tokens += sum(fitting)
    if not found:
        raise BadInput(
            f"--held-out: expected a prompt with at most {student.max_length - 2} tokens "
            "(evaluation.max_length), got none"
        )
    if blank:
        raise BadInput("--held-out: expected an answer with text beside its reasoning, got none")
    return tuple(found), tokens


def _job(
    cell: Cell,
    steps: Steps,
    spans: Sequence[Span],
    student: Student,
    settings: EvaluationConfig,
    identity: str,
    folder: Path,
) -> CellJob:
    return CellJob(
        cell=cell,
        path=student.path,
        identity=identity,
        template=student.template,
        steps=tuple(tuple(_cut(spans[piece.row], piece.tokens) for piece in step) for step in steps),
        rows=len({piece.row for step in steps for piece in step}),
        settings=settings,
        folder=folder / cell_name(cell),
        revision=student.revision,
    )


def _cut(span: Span, tokens: int) -> Span:
    return Span(span.ids[: span.start + tokens], span.start)


def cell_name(cell: Cell) -> str:
    """A file name for a cell, without an ending. Differs between cells."""
    plain = "".join(one if one.isalnum() or one in "+-_." else "_" for one in cell.arm)[:80]
    # File systems count bytes, 255 with the ending of a temporary file.
    plain = plain.encode()[:200].decode(errors="ignore")
    mark = "" if plain == cell.arm else f"-{stable_seed('cell', cell.arm):08x}"
    return f"{plain}{mark}-{cell.training_seed}"
