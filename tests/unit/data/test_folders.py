"""Which files of a folder hold the rows to learn from."""

from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pytest

from cluster.driver import student_judge, students
from staragents.base.errors import BadInput
from staragents.comparison import comparison
from staragents.data.readers import own_outputs
from staragents.data.readers.locations import data_files
from staragents.data.readers.notes import Notes
from staragents.evaluation import evaluation
from staragents.run_directory import manifest, run_lock
from staragents.score_file import parts

CARD = """---
license: apache-2.0
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test-*
- config_name: raw
  data_files: raw/*.jsonl
---
# A dataset
"""
ONE_FILE = "---\nconfigs:\n- config_name: default\n  data_files: dataset.parquet\n---\n"
SHARDS = "{}-00000-of-00001.parquet"


def tree(folder: Path, *names: str, **texts: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text)


def chosen(folder: Path) -> tuple[list[str], list[str]]:
    notes = Notes()
    files = data_files(str(folder), "seeds.path", notes)
    return [file.path.relative_to(folder).as_posix() for file in files if file.path], notes.lines()


@pytest.mark.parametrize(
    ("names", "read", "left"),
    [
        (["train.jsonl", "test.jsonl"], ["train.jsonl"], "test.jsonl"),
        (["my set (train).jsonl", "my set (test).jsonl"], ["my set (train).jsonl"], "my set (test).jsonl"),
        (["train.jsonl", "test.jsonl", "valid.jsonl"], ["train.jsonl"], "test.jsonl and 1 more"),
        (["train.json", "dev.json", "README.md", ".gitattributes", "a.lock"], ["train.json"], "dev.json"),
        (["alpaca_train.csv", "alpaca_eval.csv"], ["alpaca_train.csv"], "alpaca_eval.csv"),
        (["train/a.jsonl", "test/a.jsonl"], ["train/a.jsonl"], "test/a.jsonl"),
        (
            ["train_test_split/train.csv", "train_test_split/test.csv"],
            ["train_test_split/train.csv"],
            "train_test_split/test.csv",
        ),
        (
            [f"data/{SHARDS.format(s)}" for s in ("test", "train")],
            [f"data/{SHARDS.format('train')}"],
            f"data/{SHARDS.format('test')}",
        ),
        (
            [f"data/{SHARDS.format(s)}" for s in ("test_sft", "train_sft")],
            [f"data/{SHARDS.format('train_sft')}"],
            f"data/{SHARDS.format('test_sft')}",
        ),
        (["a.jsonl", "b.jsonl", "eval/c.jsonl"], ["a.jsonl", "b.jsonl"], "eval/c.jsonl"),
        (["train.jsonl", "more.jsonl", "test.jsonl"], ["train.jsonl"], "more.jsonl and 1 more"),
    ],
)
def test_held_out_splits_are_left_out_and_named(
    tmp_path: Path, names: list[str], read: list[str], left: str
) -> None:
    tree(tmp_path, *names)
    files, notes = chosen(tmp_path)
    assert files == read
    shown = read[0] if len(read) == 1 else f"{read[0]} and {len(read) - 1} more"
    assert notes == [f"{tmp_path}: reads {shown}, not {left}; give a file or pattern to read others"]


@pytest.mark.parametrize(
    "names",
    [
        ["a.jsonl", "b.jsonl"],
        ["train.jsonl", "extra.jsonl"],
        ["test.jsonl"],
        ["part-00000-of-00002.parquet", "part-00001-of-00002.parquet"],
        ["contest.jsonl", "latest.jsonl", "evaluate_me.jsonl", "developers.jsonl"],
    ],
)
def test_files_without_held_out_names_are_all_read(tmp_path: Path, names: list[str]) -> None:
    tree(tmp_path, *names)
    assert chosen(tmp_path) == (sorted(names), [])


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        ([SHARDS.format(s) for s in ("train_sft", "train_prefs", "test_sft")], "train_prefs, train_sft"),
        (["test.jsonl", "validation.jsonl"], "test, validation"),
    ],
)
def test_an_open_choice_of_splits_is_one_line(tmp_path: Path, names: list[str], splits: str) -> None:
    tree(tmp_path, *names)
    with pytest.raises(BadInput) as caught:
        chosen(tmp_path)
    (line,) = caught.value.problems
    assert line.startswith(
        f"seeds.path: expected one split, got {splits} in {tmp_path}; give the path of its"
    )


def test_descriptions_and_caches_are_not_data(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "a.jsonl", "dataset_info.json", "dataset_infos.json", "state.json", "cache-0f3a.arrow",
        "scores.parquet.summary.json", "scores.parquet.quarantine.jsonl", "_delta_log/000.json",
        "__MACOSX/b.jsonl", "_temporary/0/c.json", ".cache/d.json",
    )  # fmt: skip
    assert chosen(tmp_path) == (["a.jsonl"], [])


def test_a_saved_dataset_is_the_files_that_its_state_lists(tmp_path: Path) -> None:
    tree(tmp_path, "data-00000-of-00001.arrow", "old.arrow", "dataset_info.json")
    tree(tmp_path, state__json=json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    assert chosen(tmp_path)[0] == ["data-00000-of-00001.arrow"]


@pytest.mark.parametrize("split", ["", "train"])
def test_a_missing_file_of_a_saved_dataset_is_named(tmp_path: Path, split: str) -> None:
    names = [f"data-0000{n}-of-00003.arrow" for n in range(3)]
    state = json.dumps({"_data_files": [{"filename": name} for name in names]})
    tree(tmp_path / split, names[1], state__json=state)
    if split:
        tree(tmp_path / "test", names[0], state__json=state)
    with pytest.raises(BadInput) as caught:
        chosen(tmp_path)
    first = f"{split}/{names[0]}" if split else names[0]
    expected = f"expected {first} and 1 more, which state.json lists, got no such file: {tmp_path}"
    assert caught.value.problems == [f"seeds.path: {expected}"]


def test_a_missing_file_of_a_split_that_is_not_read_is_no_problem(tmp_path: Path) -> None:
    state = json.dumps({"_data_files": [{"filename": "data.arrow"}]})
    tree(tmp_path / "train", "data.arrow", state__json=state)
    tree(tmp_path / "test", "README.md", state__json=state)
    assert chosen(tmp_path)[0] == ["train/data.arrow"]


def test_a_card_decides_which_files_are_the_dataset(tmp_path: Path) -> None:
    names = [f"data/{SHARDS.format(split)}" for split in ("train", "test")]
    tree(tmp_path, *names, "raw/all.jsonl", README__md=CARD)
    files, notes = chosen(tmp_path)
    assert files == [names[0]]
    assert notes == [f"{tmp_path}: reads {names[0]}, as its README.md says, not {names[1]} and 1 more"]


def test_the_folder_of_a_run_means_its_dataset(tmp_path: Path) -> None:
    tree(tmp_path, "candidates/part-0.parquet", "quarantine.parquet", "dataset.jsonl", "dataset.parquet")
    tree(tmp_path, README__md=ONE_FILE)
    assert chosen(tmp_path)[0] == ["dataset.parquet"]


EVALUATION = [
    "graded/evaluate.html",
    "graded/evaluate.json",
    "graded/cells/a-1.json",
    "open/.writer.lock",
    "open/verdicts/a-1.json",
]
RUN = ("run_state.json", "manifest.json", "dataset.jsonl", "candidates/part-0.parquet")
PARTS = ("command.json", "part-0-8.parquet", "damaged/part-8-16.parquet")

OUTPUTS = [
    *(f"runs/mine/{name}" for name in RUN),
    *(f"runs/old/{name}" for name in ("state.json", "config.yaml", "dataset.jsonl")),
    *(f"out.jsonl.parts/{name}" for name in PARTS),
    "z.jsonl.quarantine.jsonl",
    "z.jsonl.summary.json",
    "compared/compare.html",
    "compared/compare.json",
    *EVALUATION,
]


def test_the_names_of_outputs_are_those_that_are_written() -> None:
    assert (own_outputs.PARTS_FACTS, own_outputs.RUN_STATE) == (parts.MANIFEST, manifest.STATE)
    assert own_outputs.EARLIER_STATE[0] == manifest.EARLIER_STATE
    assert own_outputs.EARLIER_STATE[1] in manifest.RESULTS
    assert own_outputs.LOCK == run_lock.WRITER
    assert [f"{name}.json" for name in own_outputs.RESULTS] == [comparison.RESULT, evaluation.RESULT]
    assert own_outputs.RESULT_FOLDERS == (students.CELLS, student_judge.VERDICTS)


def test_what_a_run_or_a_score_command_writes_below_a_folder_is_not_its_data(tmp_path: Path) -> None:
    others = ["graded/own.jsonl", "sub/a.jsonl", "spare.parts/b.jsonl", "sub/cells/c.json", "z.jsonl"]
    tree(tmp_path, *OUTPUTS, *others)
    assert chosen(tmp_path)[0] == sorted(others)
    found = data_files(f"{tmp_path}/**/*.json*", "seeds.path")
    assert [file.path for file in found] == [tmp_path / name for name in sorted(others)]


def test_the_same_is_no_data_behind_a_url() -> None:
    files = fsspec.filesystem("memory")
    for name in (*OUTPUTS, "sub/a.jsonl", "z.jsonl"):
        files.pipe(f"/outputs/{name}", b"{}")
    for path in ("memory://outputs", "memory://outputs/**/*.json*"):
        found = [file.name for file in data_files(path, "seeds.path")]
        assert found == ["memory:///outputs/sub/a.jsonl", "memory:///outputs/z.jsonl"]


def test_a_run_that_is_named_is_data(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine"
    tree(run, *RUN)
    for path in (run / "dataset.jsonl", run / "data*.jsonl", tmp_path / "runs" / "*" / "dataset.jsonl"):
        (file,) = data_files(str(path), "seeds.path")
        assert file.path == run / "dataset.jsonl"
    assert "dataset.jsonl" in chosen(run)[0]
    assert data_files(str(run / "**" / "part-*.parquet"), "seeds.path")


@pytest.mark.parametrize("card", ["no front matter", "---\n: [\n---\n", "---\nconfigs: 7\n---\n", "---\n"])
def test_a_card_that_names_no_files_changes_nothing(tmp_path: Path, card: str) -> None:
    tree(tmp_path, "a.jsonl", README__md=card)
    assert chosen(tmp_path) == (["a.jsonl"], [])


def test_a_card_with_several_configs_and_no_default_is_one_line(tmp_path: Path) -> None:
    tree(tmp_path, "a.jsonl", README__md=CARD.replace("default", "main"))
    with pytest.raises(BadInput, match="expected one config, got main, raw in"):
        chosen(tmp_path)


def test_the_hub_cache_means_its_newest_snapshot(tmp_path: Path) -> None:
    tree(tmp_path, "blobs/0a1b", "refs/main", "snapshots/old/train.jsonl", "snapshots/new/test.jsonl")
    (tmp_path / "refs" / "main").write_text("new")
    (tmp_path / "snapshots" / "new" / "train.jsonl").symlink_to(tmp_path / "blobs" / "0a1b")
    assert chosen(tmp_path)[0] == ["snapshots/new/train.jsonl"]


def test_a_pattern_is_read_as_given_and_a_mixture_is_said(tmp_path: Path) -> None:
    tree(tmp_path, "train.jsonl", "test.jsonl", "more.csv")
    notes = Notes()
    pattern = f"{tmp_path}/*.jsonl"
    assert len(data_files(pattern, "seeds.path", notes)) == 2
    assert notes.lines() == [f"{pattern}: also means {tmp_path}/test.jsonl, named like held-out data"]
    for alone in ("train.*", "te*.jsonl", "more.*"):
        notes = Notes()
        data_files(f"{tmp_path}/{alone}", "seeds.path", notes)
        assert notes.lines() == []


def test_a_folder_behind_a_url_follows_the_same_rules() -> None:
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pipe({f"/set/{name}": b"{}" for name in ("train.jsonl", "test.jsonl", "dataset_info.json")})
    notes = Notes()
    files = data_files("memory://set", "seeds.path", notes)
    assert [file.name for file in files] == ["memory:///set/train.jsonl"]
    assert notes.lines() == [
        "memory://set: reads train.jsonl, not test.jsonl; give a file or pattern to read others"
    ]
    memory.store.clear()
