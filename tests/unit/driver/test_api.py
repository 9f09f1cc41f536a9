"""`from staragents import optimise, score`: how a call uses its arguments, and what it returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import staragents
from cluster.driver import optimise as running
from cluster.driver.api import optimise, score
from cluster.driver.optimise import Outcome
from cluster.driver.results import Result
from staragents.base.errors import BadInput
from staragents.config import Config
from tests.support.paths import FAKE

ROWS = [{"instruction": f"Name {n} colours.", "output": "Blue, green and red."} for n in range(3)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configs that would have been run."""
    asked: list[Config] = []

    def run(config: Config, watcher: Any, overwrite: bool) -> Outcome:
        asked.append(config)
        return Outcome({"run": {"finished": True}}, interrupted=False)

    monkeypatch.setattr(running, "optimise", run)
    return asked


def test_the_package_exports_both() -> None:
    assert staragents.optimise is optimise
    assert staragents.score is score
    with pytest.raises(AttributeError, match="has no attribute 'optimize'"):
        _ = staragents.optimize


def test_arguments_override_the_file(asked: list[Config], tmp_path: Path) -> None:
    result = optimise(
        ROWS,
        FAKE,
        output=tmp_path / "run",
        evolution={"draws": 3},
        settings={"run.seed": 7, "seeds.limit": 2},
    )
    assert result.finished
    (config,) = asked
    assert (config.evolution.draws, config.run.seed, config.seeds.limit) == (3, 7, 2)
    assert config.evolution.policy.value == "thompson", "the rest of the section stays"
    assert [json.loads(line) for line in Path(config.seeds.path).read_text().splitlines()] == ROWS


def test_a_setting_may_be_any_text(asked: list[Config], tmp_path: Path) -> None:
    texts = ["Data \U0001f600", "a\u2028b\x85c", "# 3: [x", "5"]
    for text in texts:
        optimise(ROWS, FAKE, output=tmp_path / "run", settings={"output.title": text})
    assert [config.output.title for config in asked] == texts
    with pytest.raises(BadInput, match=r"seeds\.limit: expected int or null, got 'few'"):
        optimise(ROWS, FAKE, output=tmp_path / "run", settings={"seeds.limit": "few"})


def test_agents_replace_those_of_the_file(asked: list[Config], tmp_path: Path) -> None:
    agents = {
        "instruction": {"keep": {"prompt": "keep"}},
        "response": {
            "a": {"model": "writer", "prompt": "direct"},
            "b": {"model": "writer", "prompt": "brief"},
        },
    }
    optimise(ROWS, FAKE, output=tmp_path / "run", agents=agents)
    assert asked[0].pairs == ["keep+a", "keep+b"]


@pytest.mark.parametrize("kind", ["list", "pandas", "datasets", "generator", "path"])
def test_rows_come_from_anywhere(kind: str, asked: list[Config], tmp_path: Path) -> None:
    data: Any = ROWS
    if kind == "pandas":
        data = pytest.importorskip("pandas").DataFrame(ROWS)
    elif kind == "datasets":
        data = pytest.importorskip("datasets").Dataset.from_list(ROWS)
    elif kind == "generator":
        data = (row for row in ROWS)
    elif kind == "path":
        data = tmp_path / "rows.jsonl"
        data.write_text("\n".join(map(json.dumps, ROWS)))
    optimise(data, FAKE, output=tmp_path / "run")
    lines = Path(asked[0].seeds.path).read_text().splitlines()
    assert [json.loads(line) for line in lines] == ROWS


def test_other_rows_leave_the_file_of_an_earlier_call(asked: list[Config], tmp_path: Path) -> None:
    """A run may be reading it, and the call with other rows may be refused."""

    def called(rows: list[dict[str, str]]) -> Path:
        optimise(rows, FAKE, output=tmp_path / "run")
        return Path(asked[-1].seeds.path)

    file = called(ROWS)
    before = (file.read_bytes(), file.stat().st_ino, file.stat().st_mtime_ns)
    other = called(ROWS[:2])
    assert [json.loads(line) for line in other.read_text().splitlines()] == ROWS[:2]
    assert (called(ROWS), called(ROWS[:2])) == (file, other), "the same rows resume"
    with pytest.raises(BadInput, match="drawz"):
        optimise(ROWS[1:], FAKE, output=tmp_path / "run", settings={"evolution.drawz": 3})
    assert (file.read_bytes(), file.stat().st_ino, file.stat().st_mtime_ns) == before
    file.unlink()
    assert called(ROWS[:2]) == other
    assert called(ROWS) == file
    assert not list(tmp_path.glob(".run*")), "no temporary file is left"


def test_problems_are_reported_before_anything_runs(asked: list[Config], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"evolution\.drawz"):
        optimise(ROWS, FAKE, output=tmp_path / "run", evolution={"drawz": 3})
    with pytest.raises(TypeError, match="unexpected keyword 'agent'"):
        optimise(ROWS, FAKE, output=tmp_path / "run", agent={})
    with pytest.raises(TypeError, match="expected a path, a DataFrame, a Dataset or rows, got int"):
        optimise(3, FAKE, output=tmp_path / "run")
    assert not asked


def test_an_output_is_a_path_whose_home_is_expanded(
    asked: list[Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    result = optimise(ROWS, FAKE, output="~/runs/new")
    assert asked[0].output.dir == str(tmp_path / "home" / "runs" / "new") == str(result.path)
    assert Path(asked[0].seeds.path).parent == tmp_path / "home" / "runs"
    assert score(ROWS, "fake", output="~/scores.jsonl", min_tokens=1).file == tmp_path / "home/scores.jsonl"
    with pytest.raises(BadInput, match=r"^output: expected a path on a file system"):
        optimise(ROWS, FAKE, output="s3://bucket/runs/new")
    with pytest.raises(BadInput, match=r"^-o: expected a path on a file system"):
        score(ROWS, "fake", output="s3://bucket/scores.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_result_reads_a_run_directory(finished_run: Path) -> None:
    result = Result(finished_run, json.loads((finished_run / "summary.json").read_text()))
    assert len(result.dataset) == len(result.to_pandas()) == len(result.to_datasets()) == 40
    assert result.to_list()[0]["messages"][-1]["role"] == "assistant"
    assert result.candidates.num_rows == result.summary["funnel"]["drawn"]
    assert repr(result).startswith("FAKE Result(")
    assert result.report.exists()


def test_scores_come_back_as_rows() -> None:
    scored = score([*ROWS, {"instruction": "", "output": "x" * 40}], "fake", min_tokens=1)
    frame = scored.to_pandas()
    assert list(frame["instruction"][:3]) == [row["instruction"] for row in ROWS]
    assert frame["target_ifd"].notna().any()
    assert scored.summary["rows"] == 4


def test_every_section_of_a_config_is_an_argument(asked: list[Config], tmp_path: Path) -> None:
    optimise(
        ROWS,
        FAKE,
        output=tmp_path,
        filters={"duplicates": "flag"},
        evaluation={"training_seeds": 2},
    )
    assert asked[0].filters.duplicates.value == "flag"
    assert asked[0].evaluation.training_seeds == 2
