"""Students of a hub id whose weights change."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from transformers import LlamaConfig

from staragents.base.messages import Message, with_exchange
from staragents.config import EvaluationConfig
from staragents.evaluation import fine_tuning
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.evaluation.held_out import HeldOut
from staragents.evaluation.plan import Plan, plan_of
from staragents.evaluation.student import Student
from staragents.scoring.identity import model_identity
from staragents.scoring.model_loading import Loading
from tests.support.hub_cache import HubCache
from tests.support.tiny_models import save_tokenizer

ARM = Arm("seeds", (TrainingRow("s", with_exchange((), "Name a tree.", "An oak.")),))
HELD_OUT = (HeldOut("a", (Message("user", "Name a bird."),), {"x": "A robin."}),)
OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    LlamaConfig(vocab_size=258).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def plan(path: str) -> Plan:
    student = Student(path, None, 64)
    return plan_of([ARM], HELD_OUT, student, EvaluationConfig(lora_rank=0), Path("work"))


def test_students_of_another_commit_are_not_used_again(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = HubCache(tmp_path / "hub", monkeypatch)
    prints = []
    for commit in (OLD, NEW):
        hub.commit("org/tiny", files, commit)
        made, again = plan("org/tiny"), plan("org/tiny")
        prints.append([job.fingerprint(HELD_OUT) for job in made.jobs])
        assert [job.fingerprint(HELD_OUT) for job in again.jobs] == prints[-1]
        assert {(job.path, job.revision) for job in made.jobs} == {("org/tiny", commit)}
    assert not set(prints[0]) & set(prints[1])


def test_a_folder_is_known_by_its_files_alone(files: Path) -> None:
    made = plan(str(files))
    assert {(job.identity, job.revision) for job in made.jobs} == {(model_identity(str(files)), None)}


class Loaded(Exception):
    """Ends a job where the weights would be loaded."""


@pytest.mark.parametrize("steps", [0, 1])
def test_every_student_loads_the_planned_commit(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    hub = HubCache(tmp_path / "hub", monkeypatch)
    hub.commit("org/tiny", files, OLD)
    job = plan("org/tiny").jobs[steps]
    hub.commit("org/tiny", files, NEW)
    asked: list[tuple[str, str | None]] = []

    def load(path: str, loading: Loading) -> None:
        asked.append((path, loading.revision))
        raise Loaded

    monkeypatch.setattr(fine_tuning, "load", load)
    monkeypatch.setattr(fine_tuning, "check_packages", lambda **_: None)
    with pytest.raises(Loaded):
        dataclasses.replace(job, folder=tmp_path / "work").run(HELD_OUT)
    assert asked == [("org/tiny", OLD)]
