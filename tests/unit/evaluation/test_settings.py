"""Settings of an evaluation: the run's, then overrides, then options."""

from __future__ import annotations

import pytest

from staragents.base.errors import BadInput
from staragents.config import Config, EvaluationConfig, Template
from staragents.evaluation.settings import evaluation_settings, is_override


def test_overrides_come_before_the_runs_settings_and_options_before_both() -> None:
    config = Config(evaluation=EvaluationConfig(student="own", epochs=2.0, max_length=99, step_tokens=7))
    overrides = ["evaluation.epochs=3", "evaluation.max_length=50", "evaluation.template=plain"]
    found = evaluation_settings(config, overrides, {"max_length": 20, "training_seeds": None})
    assert (found.student, found.epochs, found.max_length, found.step_tokens) == ("own", 3.0, 20, 7)
    assert found.template is Template.plain
    assert found.training_seeds == EvaluationConfig().training_seeds


def test_the_student_is_the_target_of_scoring_if_none_is_set() -> None:
    config = Config()
    config.scoring.target.model = "packaged:smollm2-135m-instruct"
    assert evaluation_settings(config, [], {}).student == "packaged:smollm2-135m-instruct"
    config.scoring.target.model = "fake"
    with pytest.raises(BadInput, match="--student: expected a model to train, got fake"):
        evaluation_settings(config, [], {})


def test_a_target_with_an_adapter_is_no_student_but_one_may_be_named() -> None:
    config = Config()
    config.scoring.target.model, config.scoring.target.adapter = "org/base", "org/lora"
    with pytest.raises(BadInput, match=r"^--student: .* has the adapter org/lora, .* or org/base itself$"):
        evaluation_settings(config, [], {})
    for named in ([], ["evaluation.student=org/base"]):
        options = {} if named else {"student": "org/base"}
        assert evaluation_settings(config, named, options).student == "org/base"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("evaluation.epochs=0", "evaluation.epochs"),
        ("evaluation.epoch=1", "evaluation.epoch: "),
        ("evaluation.warmup=2", "evaluation.warmup"),
    ],
)
def test_a_bad_override_names_the_setting(override: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        evaluation_settings(Config(), [override], {"student": "x"})


def test_only_settings_of_the_section_are_overrides() -> None:
    assert is_override("evaluation.epochs=1")
    assert not is_override("runs/evaluation.one")
    assert not is_override("runs/a=b")
