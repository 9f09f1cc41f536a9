"""What `diagnose` says about an evaluation that lies beside a run."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cluster.job import cli
from staragents.base.statistics import Mean
from staragents.evaluation.build import evaluation_of
from staragents.evaluation.evaluation import RESULT, HeldOutFacts
from staragents.evaluation.pair_measures import PairMeasures
from staragents.evaluation.saved import reward_sentences
from staragents.run_directory.manifest import MANIFEST, read_manifest, results_digest
from staragents.run_directory.sealed_json import write_sealed
from tests.support.student_worlds import arms_named, students

PAIRS = [f"pair:p{number}" for number in range(6)]


def write_evaluation(
    folder: Path, run: Path, by_pair: bool = True, results: Sequence[str] | None = None, worse: bool = False
) -> Path:
    """An evaluation of the present results of `run`, or of others. `worse`: the reward predicts the
    opposite."""
    if results is None:
        manifest = read_manifest(run)
        assert manifest is not None
        results = [results_digest(manifest)]
    sign = 0.05 if worse else -0.05
    effects = {"seeds": 0.0, **{name: sign * number for number, name in enumerate(PAIRS)}}
    measures = {name: PairMeasures(9, Mean(1, 0.1 * n, 0.0), Mean(), Mean()) for n, name in enumerate(PAIRS)}
    pairs = measures if by_pair else {}
    result = evaluation_of(
        dataclasses.replace(arms_named(list(effects)), pairs=pairs, results=tuple(results)),
        students(effects, training_seeds=2, conversations=40),
        student="s",
        runs=[str(run)],
        settings={},
        held_out=HeldOutFacts("h", "0", 40, []),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_text(json.dumps(result.as_dict()))
    return folder / RESULT


def run_at(folder: Path, checksum: str = "a") -> Path:
    """The results of a run, as far as they tell to what an evaluation belongs."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        name: {"bytes": 1, "sha256": checksum} for name in ("dataset.parquet", "candidates/part-0.parquet")
    }
    files["report.html"] = {"bytes": 1, "sha256": "any"}
    write_sealed(folder / MANIFEST, {"format": 1, "seeds": 3, "settings": {}, "files": files})
    return folder


def test_the_newest_evaluation_of_these_results_speaks(tmp_path: Path) -> None:
    run = run_at(tmp_path / "runs" / "mine")
    assert reward_sentences(run) == []
    old = write_evaluation(tmp_path / "runs" / "old", run, worse=True)
    write_evaluation(tmp_path / "runs" / "pairless", run, by_pair=False)
    write_evaluation(tmp_path / "runs" / "other", run_at(tmp_path / "runs" / "else", "b"))
    os.utime(old, (1, 1))
    (first, *_) = reward_sentences(run)
    assert first.startswith("old: mean reward of a pair")
    assert "it predicts the opposite" in first
    write_evaluation(tmp_path / "runs" / "zero", run)
    (first, *_) = reward_sentences(run)
    assert first.startswith("zero: mean reward of a pair")
    assert first.endswith("it predicts training")


def test_an_evaluation_belongs_to_results_and_not_to_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_at(Path("runs/mine"))
    write_evaluation(tmp_path / "runs" / "mine-evaluate", run)
    said = reward_sentences(run)
    assert said
    monkeypatch.chdir(tmp_path / "runs")  # the path in the file was relative
    assert reward_sentences(Path("mine")) == said
    moved = shutil.move("mine", "moved")
    assert reward_sentences(Path(moved)) == said
    # The same path after `run --overwrite`.
    monkeypatch.chdir(tmp_path)
    again = run_at(Path("runs/mine"), "b")
    (line,) = reward_sentences(again)
    assert line.startswith("mine-evaluate: its evaluation by pair is not of the run's present results")
    write_evaluation(tmp_path / "runs" / "mine-evaluate", again, results=[])  # by an earlier version
    assert reward_sentences(again) == [line]


def test_a_correlation_over_four_pairs_of_an_earlier_version_is_no_proof(tmp_path: Path) -> None:
    run = run_at(tmp_path / "mine")
    path = write_evaluation(tmp_path / "old", run)
    saved = json.loads(path.read_text())
    del saved["by_pair"]["pairs"][4:]
    path.write_text(json.dumps(saved))
    (first, *_) = reward_sentences(run)
    assert first.endswith(": no correlation, as fewer than 6 pairs differ in both")


@pytest.mark.parametrize(
    "damage",
    [
        lambda saved: "{]",
        lambda saved: "[]",
        lambda saved: json.dumps({**saved, "arms": [[]]}),
        lambda saved: json.dumps({**saved, "by_pair": {"pairs": [], "correlations": {"luck": None}}}),
        lambda saved: json.dumps(
            {
                **saved,
                "by_pair": {
                    **saved["by_pair"],
                    "correlations": {"reward": dict.fromkeys(("mean", "low", "high"))},
                },
            }
        ),
        lambda saved: "[" * 100_000,
    ],
    ids=["no json", "a list", "a list as an arm", "an unknown measure", "an estimate of nothing", "deep"],
)
def test_a_damaged_file_is_one_note(tmp_path: Path, damage: Callable[[dict[str, Any]], str]) -> None:
    run = run_at(tmp_path / "mine")
    path = write_evaluation(tmp_path / "bad", run)
    path.write_text(damage(json.loads(path.read_text())))
    (line,) = reward_sentences(run)
    assert line == "bad: evaluate.json is damaged; run the same `staragents evaluate` again"


def test_a_file_that_is_written_anew_meanwhile_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_at(tmp_path / "mine")
    other = write_evaluation(tmp_path / "other", run)
    stat = Path.stat

    def removed_after(path: Path, **options: bool) -> os.stat_result:
        facts = stat(path, **options)
        if path.name == RESULT:
            path.unlink()
        return facts

    monkeypatch.setattr(Path, "glob", lambda *_: iter([other]))
    monkeypatch.setattr(Path, "stat", removed_after)
    assert reward_sentences(run) == []


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
