"""Tasks of lm-evaluation-harness, checked before anything is trained."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from tokenizers import AddedToken

from staragents.base.errors import BadInput
from staragents.config import EvaluationConfig, Template
from staragents.evaluation import harness_tasks
from staragents.evaluation.cell import Cell
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.harness import checked_tasks, local_data, task_scores
from staragents.evaluation.harness_tasks import HarnessTasks
from staragents.text.thought_end import thought_end
from tests.support.chat_tokenizer import chat_tokenizer

TASK = """\
task: planted
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: choices
doc_to_target: label
metric_list:
  - {{metric: {metric}, aggregation: mean, higher_is_better: {higher}}}
{more}"""


def folder_with(path: Path, metric: str = "acc", higher: str = "true", more: str = "") -> Path:
    """A folder with the task `planted` and its rows."""
    path.mkdir(exist_ok=True)
    rows = [{"prompt": "Name a tree.", "choices": ["oak", "tin"], "label": 0}] * 2
    (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = TASK.format(rows=path / "rows.jsonl", metric=metric, higher=higher, more=more)
    (path / "planted.yaml").write_text(text)
    return path


def test_a_missing_package_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"^--tasks: expected the package lm_eval: pip .*'\.\[harness\]'"):
        checked_tasks(["ifeval"], None, None)


def test_thoughts_are_left_out_and_prompts_have_a_fixed_date(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    fake = SimpleNamespace(
        HFLM=lambda **options: given.update(options),
        TaskManager=lambda **_: SimpleNamespace(task_index={}),
    )
    for name in ("lm_eval", "lm_eval.models", "lm_eval.models.huggingface", "lm_eval.tasks"):
        monkeypatch.setitem(sys.modules, name, cast(ModuleType, fake))
    assert task_scores(None, "tokenizer", HarnessTasks({}, thought_end=7), chat=True) == {}
    assert given["think_end_token"] == 7
    assert given["chat_template_args"]["strftime_now"]("%d %b %Y") == "26 Jul 2024"


def test_scores_of_students_without_thoughts_are_used_again() -> None:
    tasks = HarnessTasks({"planted": "p"})
    assert tasks.after_thoughts(None) == tasks
    thinks = tasks.after_thoughts(7)
    assert (thinks.thought_end, thinks.names) == (7, ["planted"])
    assert thinks.fingerprints != tasks.fingerprints
    assert thinks.only(["planted"]) == thinks


@pytest.mark.parametrize(
    ("tokens", "end"),
    [
        (("<think>", "</think>"), "</think>"),
        (("[THINK]", "[/THINK]"), "[/THINK]"),
        (("<|im_start|>", "<|im_end|>"), None),
    ],
)
def test_the_end_of_a_thought_is_a_token_of_the_student(tokens: tuple[str, ...], end: str | None) -> None:
    tokenizer = chat_tokenizer()
    tokenizer.add_tokens([AddedToken(token) for token in tokens])
    assert thought_end(tokenizer) == (None if end is None else tokenizer.convert_tokens_to_ids(end))


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra harness")
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.usefixtures("harness")
def test_a_score_is_used_again_until_the_task_its_rows_or_the_limit_change(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "tasks")
    first = checked_tasks(["planted"], folder, None)
    assert (first.names, first.folder) == (["planted"], str(folder))
    assert first.files == {"planted": str(folder / "planted.yaml")}
    assert checked_tasks(["planted"], folder, None) == first
    assert checked_tasks(["planted"], folder, 1).fingerprints != first.fingerprints
    with (folder / "rows.jsonl").open("a") as rows:
        rows.write('{"prompt": "Name a metal.", "choices": ["oak", "tin"], "label": 1}\n')
    assert checked_tasks(["planted"], folder, None).fingerprints != first.fingerprints


@pytest.mark.usefixtures("harness")
def test_rows_outside_the_folder_of_tasks_count_for_their_task(tmp_path: Path) -> None:
    folder, data = folder_with(tmp_path / "tasks"), tmp_path / "data"
    data.mkdir()
    rows = (folder / "rows.jsonl").rename(data / "rows.jsonl")
    text = TASK.format(rows=rows, metric="acc", higher="true", more="")
    (folder / "planted.yaml").write_text(text)
    first = checked_tasks(["planted"], folder, None)
    assert checked_tasks(["planted"], folder, None) == first
    with rows.open("a") as lines:
        lines.write('{"prompt": "Name a metal.", "choices": ["oak", "tin"], "label": 1}\n')
    assert checked_tasks(["planted"], folder, None).fingerprints != first.fingerprints


def test_the_local_files_of_a_task_are_found_in_every_form(tmp_path: Path) -> None:
    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    for file in (one, two):
        file.write_text("{}")
    assert local_data({"data_files": str(one)}) == [one]
    assert local_data({"data_files": [str(one), str(two), "hf://datasets/x/y.json"]}) == [one, two]
    by_split = {"train": str(tmp_path / "*.jsonl"), "test": [str(one)]}
    assert local_data({"data_files": by_split}) == [one, two]
    assert local_data({"data_files": "https://example.com/rows.json"}) == []
    assert local_data({}) == local_data(None) == []


@pytest.mark.usefixtures("harness")
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"more": "unsafe_code: true\n"}, "expected a task that runs no code of a model, got planted"),
        (
            {"metric": "brier_score", "higher": "false"},
            "better when it is higher, got brier_score of planted",
        ),
        (
            {"more": "test_split: nowhere\ndataset_name: nowhere\n"},
            "planted can't be loaded: KeyError: 'nowhere'",
        ),
    ],
)
def test_a_task_that_can_not_score_is_named_before_training(
    tmp_path: Path, changes: dict[str, str], problem: str
) -> None:
    with pytest.raises(BadInput) as caught:
        checked_tasks(["planted"], folder_with(tmp_path / "tasks", **changes), None)
    (line,) = caught.value.problems
    assert line.startswith("--tasks: ")
    assert problem in line
    assert "\n" not in line


@pytest.mark.usefixtures("harness")
def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^--tasks-folder: expected a folder with task files, got "):
        checked_tasks(["planted"], tmp_path / "no", None)


@pytest.mark.slow
@pytest.mark.usefixtures("harness")
def test_unknown_names_have_suggestions() -> None:
    with pytest.raises(BadInput) as caught:
        checked_tasks(["arc_esy", "x!"], None, None)
    first, second = caught.value.problems
    assert first.startswith("--tasks: expected a task of lm-evaluation-harness, got 'arc_esy', did you mean ")
    assert "arc_easy" in first
    assert second == "--tasks: expected a task of lm-evaluation-harness, got 'x!'"


def test_tasks_that_a_node_lacks_are_found_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness_tasks, "check_harness", lambda: None)
    missing = HarnessTasks({"planted": "x"}, {"planted": str(tmp_path / "no.yaml")}, str(tmp_path))
    job = CellJob(
        Cell("real", 0),
        "m",
        "id",
        Template.plain,
        (),
        0,
        EvaluationConfig(),
        tmp_path / "work",
        tasks=missing,
    )
    with pytest.raises(
        BadInput, match=rf"^--tasks-folder: expected {tmp_path / 'no.yaml'} on \S+, found nothing"
    ):
        job.run(())
    assert not (tmp_path / "work").exists()
    HarnessTasks({"ifeval": "x"}, {"ifeval": "ifeval/ifeval.yaml"}).check_here()
