"""Checkpoints belong to one training, and one of them is usable at any time."""

from __future__ import annotations

import dataclasses
import errno
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from staragents.config import EvaluationConfig, Template
from staragents.evaluation import checkpoints, fine_tuning
from staragents.evaluation.cell import Cell
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.checkpoints import COMPLETE, Checkpoints, checkpoint_folder
from staragents.evaluation.held_out import HeldOut
from staragents.scoring.conventions import Span

STEPS = ((Span((0, 1, 2), 1),),)


def saved(folder: Path, step: int, complete: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "optimizer.pt").write_text("state")
    if complete:
        (path / COMPLETE).touch()
    return path


Folder = Callable[..., Path]


class Killed(BaseException):
    pass


@pytest.fixture
def folder_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Folder:
    """Where a job looks for checkpoints; it is killed before it trains."""
    used: list[Path] = []

    def killed(path: str, steps: object, seed: int, settings: object, folder: Path, revision: None) -> None:
        used.append(folder)
        raise Killed

    monkeypatch.setattr(fine_tuning, "fine_tune", killed)

    def folder(job: CellJob, held_out: tuple[HeldOut, ...] = ()) -> Path:
        with pytest.raises(Killed):
            job.run(held_out)
        return used[-1]

    return folder


def job(folder: Path, **changes: object) -> CellJob:
    plain = CellJob(
        Cell("real", 0), "m", "id", Template.plain, STEPS, 1, EvaluationConfig(), folder / "real-0"
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": EvaluationConfig(learning_rate=1e-6)},
        {"settings": EvaluationConfig(warmup=0.5)},
        {"identity": "other weights"},
        {"steps": ((Span((0, 1, 3), 1),),)},
    ],
)
def test_a_changed_job_does_not_continue_an_old_checkpoint(
    tmp_path: Path, folder_of: Folder, changes: dict[str, object]
) -> None:
    first = folder_of(job(tmp_path))
    old = saved(first, 9)
    assert folder_of(job(tmp_path)) == first
    assert Checkpoints(first).complete() == [old]
    changed = folder_of(job(tmp_path, **changes))
    assert not Checkpoints(changed).complete()
    assert not old.exists()


def test_other_held_out_conversations_continue_the_same_training(tmp_path: Path, folder_of: Folder) -> None:
    first = folder_of(job(tmp_path))
    assert folder_of(job(tmp_path), (HeldOut("a", (), {"x": "y"}),)) == first


def test_checkpoints_of_the_layout_without_checksums_are_removed(tmp_path: Path, folder_of: Folder) -> None:
    old = saved(tmp_path / "real-0", 9)
    folder_of(job(tmp_path))
    assert not old.exists()


def test_checkpoints_stay_until_the_driver_has_saved_the_result(tmp_path: Path) -> None:
    cell = tmp_path / "real-0"
    with checkpoint_folder(cell, "a") as folder:
        saved(folder, 1)
    with checkpoint_folder(cell, "a") as folder:
        assert Checkpoints(folder).complete()


@pytest.mark.parametrize("parent", ["file", "not there"])
def test_a_folder_that_cannot_be_made_here_is_replaced_by_a_temporary_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, parent: str
) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING), checkpoint_folder(tmp_path / parent / "real-0", "a") as folder:
        saved(folder, 1)
    assert not folder.exists()
    assert not (tmp_path / "not there").exists()
    assert f"can't write to {tmp_path / parent}" in caplog.text


def test_older_checkpoints_go_after_the_new_one_is_complete(tmp_path: Path) -> None:
    saved(tmp_path, 3), saved(tmp_path, 20, complete=False)
    Checkpoints(tmp_path).finish(20)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-20"]
    assert (tmp_path / "checkpoint-20" / COMPLETE).exists()


def test_a_checkpoint_that_cannot_be_synced_is_not_complete_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = saved(tmp_path, 3), saved(tmp_path, 20, complete=False)

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "sync", full)
    with pytest.raises(OSError, match="No space left"):
        Checkpoints(tmp_path).finish(20)
    assert Checkpoints(tmp_path).complete() == [old]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), RuntimeError("unexpected pos 64")])
def test_a_checkpoint_that_cannot_be_written_is_one_warning_and_the_old_one_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    old = saved(tmp_path, 3)
    kept = Checkpoints(tmp_path)

    def write(step: int) -> None:
        saved(tmp_path, step, complete=False)
        raise error

    with caplog.at_level(logging.WARNING):
        kept.save(20, lambda: write(20))
        kept.save(30, lambda: write(30))
    assert list(tmp_path.iterdir()) == [old]
    (record,) = caplog.records
    assert record.getMessage() == f"no checkpoint at step 20 in {tmp_path}: {error}"
    saved(tmp_path, 40, complete=False)
    kept.save(40, lambda: None)
    assert [path.name for path in kept.complete()] == ["checkpoint-40"]


@pytest.fixture
def resume(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Exception], None]:
    """Continue a checkpoint of which the trainer says that it can't be loaded."""

    def resumed(error: Exception) -> None:
        def train(resume_from_checkpoint: str | None) -> None:
            raise Killed if resume_from_checkpoint is None else error

        trainer = SimpleNamespace(began=False, train=train)
        monkeypatch.setattr(fine_tuning, "load", lambda *_: (None, None))
        monkeypatch.setattr(fine_tuning, "_trainer", lambda *_: trainer)
        monkeypatch.setattr(fine_tuning, "check_machine", lambda *_: None)
        monkeypatch.setattr(fine_tuning, "check_packages", lambda **_: None)
        for name in ("set_num_threads", "use_deterministic_algorithms"):
            monkeypatch.setattr(fine_tuning.torch, name, lambda *_, **__: None)
        fine_tuning.fine_tune("m", STEPS, 0, EvaluationConfig(lora_rank=0), tmp_path)

    return resumed


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        torch.AcceleratorError("CUDA error: uncorrectable ECC error"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ESTALE, "Stale file handle"),
    ],
)
def test_a_machine_that_fails_costs_no_checkpoint(tmp_path: Path, resume: Any, error: Exception) -> None:
    old = saved(tmp_path, 3)
    with pytest.raises(type(error)):
        resume(error)
    assert Checkpoints(tmp_path).complete() == [old]


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file"),
        OSError("no file named model.safetensors found"),
        RuntimeError("failed finding central directory"),
        ValueError("not JSON"),
    ],
)
def test_a_damaged_checkpoint_is_dropped_and_training_begins_anew(
    tmp_path: Path, resume: Any, error: Exception
) -> None:
    saved(tmp_path, 3)
    with pytest.raises(Killed):
        resume(error)
    assert not list(tmp_path.iterdir())


def test_the_newest_complete_checkpoint_comes_first_by_its_number(tmp_path: Path) -> None:
    for step in (9, 100, 20):
        saved(tmp_path, step)
    saved(tmp_path, 200, complete=False)
    assert [path.name for path in Checkpoints(tmp_path).complete()] == [
        "checkpoint-100", "checkpoint-20", "checkpoint-9"
    ]  # fmt: skip
