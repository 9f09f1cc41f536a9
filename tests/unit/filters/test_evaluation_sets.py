"""Every text of an evaluation set is found, wherever in its files it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staragents.base.errors import BadInput
from staragents.base.messages import Message
from staragents.filters.contamination import Contamination

ASKED = "Compose an engaging blog post about a trip to the coast, with all sights to see there."
OTHER = "Which of the following planets is the largest one in our system of planets and moons?"


def found(path: Path | str, question: str = ASKED) -> str | None:
    talk = (Message("user", question), Message("assistant", "Sure."))
    return Contamination([str(path)], 13)(talk)


def line(text: str) -> str:
    return json.dumps({"question": text}) + "\n"


def table(path: Path, column: Any) -> Path:
    pq.write_table(pa.table({"question": column}), path)
    return path


@pytest.mark.parametrize("names", [("train.jsonl", "test.jsonl"), ("mt_bench.jsonl", "gsm8k_test.jsonl")])
@pytest.mark.parametrize("place", ["folder", "url"])
def test_all_splits_of_a_folder_are_read(tmp_path: Path, names: tuple[str, str], place: str) -> None:
    texts = dict(zip(names, (ASKED, OTHER), strict=True))
    if place == "url":
        memory = fsspec.filesystem("memory")
        memory.store.clear()
        memory.pipe({f"/eval/{name}": line(text).encode() for name, text in texts.items()})
        path: Path | str = "memory://eval"
    else:
        path = tmp_path
        for name, text in texts.items():
            (tmp_path / name).write_text(line(text))
    for name, text in texts.items():
        assert (found(path, text) or "").endswith(f"/{name}:1")


def test_a_card_leaves_nothing_out(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: a\n  default: true\n  data_files: a.jsonl\n"
        "- config_name: b\n  data_files: b.jsonl\n---\n"
    )
    for name, text in (("a", ASKED), ("b", OTHER)):
        (tmp_path / f"{name}.jsonl").write_text(line(text))
    assert found(tmp_path, ASKED)
    assert found(tmp_path, OTHER)


def test_all_splits_of_a_dataset_of_the_hub_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "set"
    folder.mkdir()
    for split, text in (("train", ASKED), ("test", OTHER)):
        (folder / f"{split}.jsonl").write_text(line(text))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    assert found(f"hf:{folder}", ASKED)
    assert found(f"hf:{folder}", OTHER)
    assert found(f"hf:{folder}:train", OTHER) is None


DOCUMENTS = {
    "splits": {"train": [{"q": OTHER}, {"q": ASKED}], "test": [{"q": "no"}]},
    "the test split": {"train": [{"q": OTHER}], "test": [{"q": "no"}, {"q": ASKED}]},
    "several lists": {"easy": [{"q": OTHER}, {"q": ASKED}], "hard": [{"q": "no"}]},
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_all_lists_of_a_json_object_are_read(tmp_path: Path, name: str, indent: int | None) -> None:
    path = tmp_path / "eval.json"
    path.write_text(json.dumps(DOCUMENTS[name], indent=indent))
    assert found(path) == f"also in {path}:2"


def test_what_a_json_object_has_beside_its_rows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "eval.json"
    path.write_text("\n" + json.dumps({"prompt": ASKED, "more": {"of": [OTHER]}, "data": [{"q": "no"}]}))
    assert found(path, ASKED) == f"also in {path}:2"
    assert found(path, OTHER) == f"also in {path}:2"


def test_all_lists_of_a_large_json_object_are_read(tmp_path: Path) -> None:
    path = tmp_path / "eval.json"
    filler = [{"q": f"Filler number {number}."} for number in range(400)]
    document = {"about": OTHER, "train": filler, "test": [{"q": "no"}, {"q": ASKED}]}
    path.write_text(json.dumps(document, indent=1))
    with patch("staragents.data.readers.json_rows.MAX_ROW_BYTES", 4096):
        assert found(path, ASKED) == f"also in {path}:2"
        assert found(path, OTHER) == f"also in {path}:1"


BAD = {
    "not UTF-8.jsonl": (line(OTHER).encode() + b'{"question": "caf\xe9"}\n', ":2:row: expected UTF-8"),
    "cut.jsonl": (line(OTHER).encode() + line(ASKED).encode()[:-9], ":2:row: not JSON"),
    "cells.csv": (f'id,question\n1,"{OTHER}"\n2,a,b\n'.encode(), ":3:row: expected 2 fields"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_bad_input(tmp_path: Path, name: str) -> None:
    content, problem = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        found(path)
    (said,) = caught.value.problems
    assert said.startswith(f"filters.evaluation[0]: {path}{problem}")


def test_text_of_a_table_that_is_not_utf8_is_bad_input(tmp_path: Path) -> None:
    texts = pa.array([OTHER.encode(), b"caf\xe9"]).view(pa.string())
    path = table(tmp_path / "eval.parquet", texts)
    with pytest.raises(BadInput, match=r"eval\.parquet:2:question: expected a readable value"):
        found(path)


def test_a_date_that_python_cannot_represent_is_no_problem(tmp_path: Path) -> None:
    late = pa.array([506804860800000000]).cast(pa.timestamp("us"))
    pq.write_table(pa.table({"at": late, "question": [ASKED]}), tmp_path / "eval.parquet")
    assert found(tmp_path / "eval.parquet")


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"\xff", ASKED.encode()], pa.binary()),
        pa.array([[b"\xff"], [ASKED.encode()]], pa.list_(pa.binary())),
        pa.array([[("a", "no")], [("b", ASKED)]], pa.map_(pa.string(), pa.string())),
        pa.array([[("no", "a")], [(ASKED, "b")]], pa.map_(pa.string(), pa.string())),
    ],
    ids=["bytes", "lists of bytes", "values of maps", "keys of maps"],
)
def test_texts_of_any_column_of_a_table_are_read(tmp_path: Path, column: pa.Array) -> None:
    path = table(tmp_path / "eval.parquet", column)
    assert found(path) == f"also in {path}:2"


@pytest.mark.parametrize(
    "cell",
    [
        json.dumps(["no", "Now.\n" + ASKED]),
        json.dumps({"turns": [{"text": "Now.\n" + ASKED}]}),
        json.dumps(json.dumps(["Now.\n" + ASKED])),
        str([{"role": "user", "content": "Now.\n" + ASKED}]),
    ],
    ids=["a list", "an object", "written twice", "as Python prints it"],
)
def test_json_in_a_cell_is_read_as_json(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "eval.csv"
    quoted = cell.replace('"', '""')
    path.write_text(f'id,question\n1,"{quoted}"\n')
    assert found(path, "Now. " + " ".join(ASKED.split()[:12])) == f"also in {path}:2"


ANSWERS = {
    "a call of a tool": json.dumps(
        [
            {
                "name": "get_current_weather",
                "arguments": {
                    "location": "Boston, MA",
                    "unit": "celsius",
                    "days": 3,
                    "hourly": True,
                    "alerts": None,
                },
            }
        ]
    ),
    "short texts": json.dumps([f"fruit{number}" for number in range(13)]),
    "short texts as Python prints them": str([f"fruit{number}" for number in range(13)]),
    "numbers": "[[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15]]",
    "one object": json.dumps({f"key{number}": number for number in range(7)}),
}
"""Answers of at least 13 words that JSON holds as texts of fewer than 5, or as numbers."""


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_in_json_is_found_as_it_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "eval.jsonl"
    path.write_text(json.dumps({"answer": ANSWERS[name]}))
    assert found(path, ANSWERS[name]) == f"also in {path}:1"


def test_each_row_has_its_own_number(tmp_path: Path) -> None:
    lines, cells = tmp_path / "eval.jsonl", tmp_path / "eval.csv"
    lines.write_text(f"{line(OTHER)}\n\n{line(ASKED)}")
    cells.write_text(f'id,question\n1,"a\nb"\n\n2,"{ASKED}"\n')
    assert found(lines) == f"also in {lines}:4"
    assert found(cells) == f"also in {cells}:5"


def test_a_name_that_is_not_utf8_can_be_stored(tmp_path: Path) -> None:
    named = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    try:
        named.write_text(line(ASKED))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert found(tmp_path) == f"also in {tmp_path}/caf\ufffd.jsonl:1"


def test_a_missing_path_is_named_once() -> None:
    with pytest.raises(BadInput, match=r"^filters\.evaluation\[0\]: expected a file, a folder"):
        found("nowhere.jsonl")
