"""Verdicts are used again only for the same answers and the same judge."""

from __future__ import annotations

import dataclasses

import pytest

from staragents.base.messages import Message
from staragents.config import Config
from staragents.evaluation.answer_pair import AnswerPair
from staragents.evaluation.student_verdicts import StudentVerdicts, verdicts_identity
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

PAIR = AnswerPair("a", (Message("user", "Name a tree."),), "An oak.", "A tin.")


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(FAKE)


def test_every_text_and_setting_counts(config: Config) -> None:
    def identity(pair: AnswerPair = PAIR, weights: str = "w", **judge: object) -> str:
        changed = dataclasses.replace(config, judge=dataclasses.replace(config.judge, **judge))
        return verdicts_identity([pair], changed, weights)

    whole = identity()
    assert identity() == whole
    others = {
        identity(dataclasses.replace(PAIR, answer="A fig.")),
        identity(dataclasses.replace(PAIR, untrained="A fig.")),
        identity(dataclasses.replace(PAIR, prompt=(Message("user", "Name a tree!"),))),
        identity(weights="x"),
        identity(reason=False),
        identity(retries=9),
        identity(model="writer") if config.models["writer"] != config.models["judge"] else "same engine",
    }
    assert len(others) == 7
    assert whole not in others


def test_equal_answers_of_two_students_are_one_question() -> None:
    assert dataclasses.replace(PAIR).pair_id == PAIR.pair_id
    assert dataclasses.replace(PAIR, conversation_id="b").pair_id != PAIR.pair_id
    assert dataclasses.replace(PAIR, answer=" A\ntin. ").is_tie
    assert not PAIR.is_tie


def test_the_file_keeps_wins_and_reasons() -> None:
    one = StudentVerdicts("x", {"a": 0.25}, {"b": "no verdict in the judge's answer: nothing"})
    assert StudentVerdicts.from_json(one.to_json()) == one


@pytest.mark.parametrize(
    ("damaged", "named"),
    [
        ("[]", "list indices"),
        ("{}", "'identity'"),
        ('{"identity": "x"}', "'wins'"),
        ('{"identity": "x", "wins": {}}', "'unreadable'"),
        ('{"identity": "x", "wins": {"a": "b"}, "unreadable": {}}', "^wins: "),
        ('{"identity": "x", "wins": 3, "unreadable": {}}', "^wins: "),
    ],
)
def test_a_damaged_file_is_a_value_error_that_names_the_field(damaged: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        StudentVerdicts.from_json(damaged)
