"""What `diagnose` says about an evaluation that lies beside a run."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cluster.job import cli
from staragents.base.statistics import Mean
from staragents.evaluation.build import evaluation_of
from staragents.evaluation.evaluation import RESULT, HeldOutFacts
from staragents.evaluation.pair_measures import PairMeasures
from staragents.evaluation.saved import evaluations_of, reward_sentences
from tests.support.student_worlds import arms_named, students

PAIRS = [f"pair:p{number}" for number in range(6)]


def write_evaluation(folder: Path, run: Path, by_pair: bool = True) -> Path:
    effects = {"seeds": 0.0, **{name: -0.05 * number for number, name in enumerate(PAIRS)}}
    measures = {name: PairMeasures(9, Mean(1, 0.1 * n, 0.0), Mean(), Mean()) for n, name in enumerate(PAIRS)}
    result = evaluation_of(
        dataclasses.replace(arms_named(list(effects)), pairs=measures if by_pair else {}),
        students(effects, training_seeds=2, conversations=40),
        student="s",
        runs=[str(run)],
        settings={},
        held_out=HeldOutFacts("h", "0", 40, []),
        identity="x",
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_text(json.dumps(result.as_dict()))
    return folder / RESULT


def test_evaluations_of_this_run_alone_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = Path("runs/mine")
    run.mkdir(parents=True)
    assert reward_sentences(run) == []
    old = write_evaluation(tmp_path / "runs" / "old", run)
    write_evaluation(tmp_path / "runs" / "other", Path("runs/else"))
    new = write_evaluation(tmp_path / "runs" / "zero", run, by_pair=False)
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / RESULT).write_text("{]")
    os.utime(old, (1, 1))
    assert [path for path, _ in evaluations_of(run)] == [old, new]
    first, *_ = reward_sentences(run)
    assert first.startswith("old: mean reward of a pair")
    assert first.endswith("it predicts training")


@pytest.mark.slow
def test_diagnose_says_whether_the_reward_predicted_training(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    write_evaluation(tmp_path / "run-evaluate", run)
    done = CliRunner().invoke(cli, ["diagnose", str(run)], catch_exceptions=False)
    assert done.exit_code == 0
    said = " ".join(done.output.split())
    assert "run-evaluate: mean reward of a pair and the gain" in said
    assert "rank correlation +1.000" in said
    assert "rank correlation +1.000" in (run / "report.html").read_text(encoding="utf-8")
