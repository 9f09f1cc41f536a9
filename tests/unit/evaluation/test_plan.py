"""The plan of an evaluation, with a student that counts words."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation, Message, with_exchange
from staragents.config import EvaluationConfig
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.evaluation.cell import BASE, Cell
from staragents.evaluation.harness_tasks import HarnessTasks
from staragents.evaluation.held_out import HeldOut
from staragents.evaluation.plan import Plan, cell_name, plan_of
from staragents.scoring.conventions import Span
from tests.support.fake_student import FakeStudent


def arm(name: str, *pairs: tuple[str, str]) -> Arm:
    rows = [TrainingRow(f"seed {n}", with_exchange((), *pair)) for n, pair in enumerate(pairs)]
    return Arm(name, tuple(rows))


HELD_OUT = (
    HeldOut("a", (Message("user", "one two"),), {"x": "three", "y": "four five"}),
    HeldOut("b", (Message("user", "w " * 12),), {"x": "six"}),
)
SHORT = arm("short", ("say", "one"), ("say it", "two"), ("say so", "three"))
LONG = arm("long", ("say", "one and more of it"), ("say it", "two and more"), ("w " * 12, "three"))


def plan(*arms: Arm, **changes: object) -> Plan:
    settings = EvaluationConfig(training_seeds=2, **changes)  # type: ignore[arg-type]
    return plan_of(arms, HELD_OUT, FakeStudent(10), settings, Path("work"))  # type: ignore[arg-type]


def test_arms_do_equal_work_and_seeds_that_do_not_fit_in_one_are_in_none() -> None:
    made = plan(SHORT, LONG)
    assert [(job.cell.arm, job.cell.training_seed) for job in made.jobs] == [
        (BASE, 0), ("short", 0), ("long", 0), ("short", 1), ("long", 1)
    ]  # fmt: skip
    assert (made.rows, made.too_long) == (2, {"seed 2"})
    assert made.tokens == 4  # answers of short: one + EOS, two + EOS
    assert made.answer_tokens == {"short": 2, "long": 5}
    assert {job.tokens for job in made.jobs[1:]} == {4}
    assert {len(job.steps) for job in made.jobs[1:]} == {made.steps}
    assert made.jobs[0].steps == ()
    assert [job.rows for job in made.jobs[1:3]] == [2, 1]  # the first answer of long is enough


def test_a_row_of_several_arms_is_tokenised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Conversation] = []
    tokens = FakeStudent.tokens

    def counted(self: FakeStudent, messages: Conversation) -> Span | None:
        seen.append(messages)
        return tokens(self, messages)

    monkeypatch.setattr(FakeStudent, "tokens", counted)
    plan(SHORT, LONG, arm("again", *(("say", "one"), ("say it", "two"), ("say so", "three"))))
    rows = [row.messages for one in (SHORT, LONG) for row in one.rows]
    assert sorted(map(str, seen[: len(rows)])) == sorted(map(str, rows))


def test_every_repeat_of_a_row_is_trained() -> None:
    row, other = (TrainingRow(name, with_exchange((), "say", name)) for name in ("one", "three"))
    repeated = Arm("file", (row, other, row, row))
    made = plan(repeated)
    assert (made.rows, made.tokens) == (4, 8)
    job = made.jobs[1]
    assert job.rows == 4
    said = [span.ids[-2:] for step in job.steps for span in step]
    assert sorted(said) == [(3, 1), (3, 1), (3, 1), (5, 1)]
    assert job.fingerprint(HELD_OUT) == plan(repeated).jobs[1].fingerprint(HELD_OUT)


def test_the_last_answer_is_cut_without_its_end() -> None:
    (job,) = [job for job in plan(LONG, tokens=3).jobs if job.cell == Cell("long", 0)]
    (span,) = (span for step in job.steps for span in step)
    assert span.tokens == 3
    assert span.ids[-1] != 1


def test_tokens_and_epochs_decide_how_much_is_trained() -> None:
    assert plan(SHORT, tokens=11).tokens == 11
    assert plan(SHORT, epochs=1.5).tokens == 9
    assert plan(SHORT, epochs=0.01).tokens == 1


def test_conversations_that_do_not_fit_are_not_measured() -> None:
    made = plan(SHORT)
    assert [one.conversation_id for one in made.held_out] == ["a"]
    assert made.measured_tokens == 5 + 6
    with pytest.raises(BadInput, match=r"^--held-out: expected a prompt with at most 8 tokens"):
        plan_of([SHORT], HELD_OUT[1:], FakeStudent(10), EvaluationConfig(), Path("work"))  # type: ignore[arg-type]


def test_answers_without_text_are_bad_input_before_training() -> None:
    prompt = (Message("user", "one"),)
    blank, other = HeldOut("c", prompt, {"x": ""}), HeldOut("d", prompt, {"x": " ", "y": "two"})
    with pytest.raises(BadInput, match=r"^--held-out: expected an answer with text .*, got none$"):
        plan_of([SHORT], [blank], FakeStudent(10), EvaluationConfig(), Path("work"))  # type: ignore[arg-type]
    made = plan_of([SHORT], [blank, other], FakeStudent(10), EvaluationConfig(), Path("work"))  # type: ignore[arg-type]
    assert made.held_out == (blank, other)  # they are part of the fingerprint


def test_an_arm_of_too_long_prompts_is_bad_input() -> None:
    with pytest.raises(BadInput, match=r"^evaluation.max_length: .* got longer ones in huge$"):
        plan(SHORT, arm("huge", *[("w " * 12, "x")] * 3))


def test_a_result_is_used_again_only_for_the_same_work() -> None:
    def prints(**changes: object) -> list[str]:
        return [job.fingerprint(HELD_OUT) for job in plan(SHORT, **changes).jobs]

    whole = prints()
    assert len(set(whole)) == len(whole)
    assert prints(num_cpus=1.0) == whole
    for change in ({"learning_rate": 1e-3}, {"max_length": 9}, {"lora_rank": 2}, {"warmup": 0.2}):
        assert not set(prints(**change)) & set(whole)
    assert prints(tokens=5)[0] == whole[0]  # the untrained student
    assert not set(prints(tokens=5)[1:]) & set(whole)
    assert plan(SHORT).jobs[1].fingerprint(HELD_OUT[:1]) != whole[1]


def test_names_of_files_are_plain_and_differ() -> None:
    arms = (
        *("dataset", "pair:a+b", "pair_a+b", "../../x", "run/one:seeds", "\u00e9t\u00e9", "x" * 300),
        *("\u6728" * 79, "\u6728" * 80),
    )
    names = [cell_name(Cell(name, seed)) for name in arms for seed in (0, 1)]
    assert len(set(names)) == len(names)
    assert names[:2] == ["dataset-0", "dataset-1"]
    assert all("/" not in name and len(name) < 120 for name in names)
    assert all(len(f".{name}.json.01234567.tmp".encode()) <= 255 for name in names)


def test_tasks_read_what_a_student_writes_after_its_thoughts() -> None:
    tasks = HarnessTasks({"planted": "p"})
    for end in (None, 7):
        student = FakeStudent(10, thought_end=end)
        made = plan_of([SHORT], HELD_OUT, student, EvaluationConfig(), Path("work"), tasks=tasks)  # type: ignore[arg-type]
        assert all(job.tasks == tasks.after_thoughts(end) for job in made.jobs)
