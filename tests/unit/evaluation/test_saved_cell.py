"""What of a saved student is used again, and what it is trained again for."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from staragents.config import EvaluationConfig, Template
from staragents.evaluation.cell import Cell, CellResult, Loss
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.harness_tasks import HarnessTasks
from staragents.evaluation.judged_prompt import JudgedPrompt
from staragents.evaluation.saved_cell import SavedCell

CELL = Cell("seeds", 0)
PLAIN = CellJob(CELL, "student", "id", Template.plain, (), 0, EvaluationConfig(), Path("work"))
ASKED = dataclasses.replace(PLAIN, asked=(JudgedPrompt("a", (0, 1)),))
TASKS = HarnessTasks({"arc": "1", "ifeval": "2"})
RESULT = CellResult(CELL, {"a": {"x": Loss(1.5, 3, 9)}}, 10, 1, 2, 1.0, 3.0)
ANSWERED = dataclasses.replace(RESULT, answers={"a": "An oak."})


def saved(job: CellJob, result: CellResult) -> SavedCell:
    return SavedCell.from_json(SavedCell("id", result, job.parts()).to_json())


def test_a_file_of_an_earlier_version_is_used_again_and_lacks_answers() -> None:
    content = json.loads(SavedCell("id", RESULT).to_json())
    del content["parts"], content["result"]["answers"]
    old = SavedCell.from_json(json.dumps(content))
    assert old.missing(PLAIN) is None
    assert old.result_of(PLAIN) == RESULT
    assert old.missing(ASKED) == ASKED


@pytest.mark.parametrize(
    ("damaged", "named"),
    [
        ("{", "line 1 column 2"),
        ("[]", "list indices"),
        ("{}", "'identity'"),
        ('{"identity": "id"}', "'result'"),
        ('{"identity": "id", "result": {}}', "'losses'"),
        ('{"identity": "id", "result": {"losses": []}}', "^losses: "),
        ('{"identity": "id", "result": {"losses": {"a": []}}}', "^losses: "),
        ('{"identity": "id", "result": {"losses": {"a": {"x": [1.0]}}}}', "^losses: "),
        ('{"identity": "id", "result": {"losses": {}}}', "'arm'"),
        ('{"identity": "id", "result": {"losses": {}, "arm": "a", "training_seed": 0}}', "'rows'"),
    ],
)
def test_a_damaged_file_is_a_value_error_that_names_the_field(damaged: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SavedCell.from_json(damaged)


def test_answers_are_kept_and_shown_only_where_they_are_asked_for() -> None:
    one = saved(ASKED, ANSWERED)
    assert one.missing(ASKED) is None
    assert one.missing(PLAIN) is None
    assert one.result_of(ASKED).answers == {"a": "An oak."}
    assert one.result_of(PLAIN).answers is None
    for other in (
        dataclasses.replace(PLAIN, asked=(JudgedPrompt("a", (0, 2)),)),
        dataclasses.replace(ASKED, settings=EvaluationConfig(answer_tokens=9)),
    ):
        assert one.missing(other) == other
        assert one.result_of(other).answers is None


def test_a_repetition_that_diverges_deletes_nothing() -> None:
    one = saved(PLAIN, RESULT)
    lost = dataclasses.replace(RESULT, losses={}, diverged="the loss of step 3 is nan")
    again = one.with_more(ASKED, lost)
    assert again == one
    assert again.missing(ASKED) == ASKED


def test_a_student_is_trained_again_for_what_is_missing_and_keeps_the_rest() -> None:
    whole = dataclasses.replace(ASKED, tasks=TASKS)
    one = saved(
        dataclasses.replace(ASKED, tasks=TASKS.only(["arc"])),
        dataclasses.replace(ANSWERED, scores={"arc": 0.5}),
    )
    left = one.missing(whole)
    assert left is not None
    assert left.asked == ()
    assert left.tasks is not None
    assert left.tasks.names == ["ifeval"]
    more = one.with_more(left, dataclasses.replace(RESULT, scores={"ifeval": 0.25}))
    assert more.missing(whole) is None
    assert more.result_of(whole).scores == {"arc": 0.5, "ifeval": 0.25}
    assert more.result_of(whole).answers == {"a": "An oak."}
    changed = dataclasses.replace(whole, tasks=HarnessTasks({"arc": "other", "ifeval": "2"}))
    assert more.result_of(changed).scores == {"ifeval": 0.25}
    left = more.missing(changed)
    assert left is not None
    assert left.tasks == HarnessTasks({"arc": "other"})
