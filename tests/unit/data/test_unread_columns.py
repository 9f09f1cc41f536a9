"""Columns of text that no conversation uses are named."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staragents.config import ColumnsConfig, SeedsConfig
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.row_messages import RowReader
from staragents.data.seed_file import SeedFile

ROW = {
    "id": "a7",
    "category": "open_qa",
    "question": "Who owns the boat?",
    "facts": "Ann owns the boat.",
    "Answer": "Ann owns it.",
    "A": "a letter",
}
NOTE = "not read: facts (seeds.columns.input names one that belongs to the instruction)"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
def test_columns_of_text_that_are_not_read_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "rows.parquet":
        pq.write_table(pa.Table.from_pylist([ROW, ROW]), path)
    else:
        path.write_text(f"{json.dumps(ROW)}\n" * 2, encoding="utf-8")
    assert SeedFile(SeedsConfig(path=str(path))).scan().notes == (f"{path}: {NOTE}",)
    columns = ColumnsConfig(input="facts")
    file = SeedFile(SeedsConfig(path=str(path), columns=columns))
    assert file.scan().notes == ()
    assert [seed.instruction for seed in file.seeds()] == ["Who owns the boat?\n\nAnn owns the boat."]
    data = DataFiles(path, RowReader().columns)
    assert sum(len(block.rows) for block in data.blocks()) == 2
    assert data.notes.lines() == [f"{path}: {NOTE.replace('seeds.columns.input', '--columns input=...')}"]


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_every_kind_of_text_in_tables_is_text(tmp_path: Path, kind: pa.DataType) -> None:
    table = pa.Table.from_pylist([ROW, {**ROW, "facts": "Bob owns it."}])
    facts = table.column("facts").cast(kind)
    at = table.column_names.index("facts")
    pq.write_table(table.set_column(at, "facts", facts), tmp_path / "rows.parquet")
    (note,) = SeedFile(SeedsConfig(path=str(tmp_path / "rows.parquet"))).scan().notes
    assert NOTE in note


def test_text_without_spaces_is_text(tmp_path: Path) -> None:
    row = {"instruction": "阳台上的罗勒怎么养", "output": "早上晒太阳。", "背景": "罗勒是一种香草植物。"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (note,) = SeedFile(SeedsConfig(path=str(tmp_path / "rows.jsonl"))).scan().notes
    assert r"not read: \u80cc\u666f (" in note


def test_many_columns_are_one_short_line(tmp_path: Path) -> None:
    row = {"instruction": "Say 1.", "output": "One."} | {f"note{at}": "Some text." for at in range(9)}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (note,) = SeedFile(SeedsConfig(path=str(tmp_path / "rows.jsonl"))).scan().notes
    assert "not read: note0, note1, note2, note3, note4 and 4 more (" in note


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
def test_classes_json_and_columns_beside_turns_are_no_texts(tmp_path: Path, name: str) -> None:
    pair = [
        {"instruction": f"Say {at}.", "output": "Yes.", "licence": "Open to all.", "meta": f'{{"at": {at}}}'}
        for at in range(5)
    ]
    turns = [{"role": "user", "content": "Say 1."}, {"role": "assistant", "content": "One."}]
    talks = [{"messages": turns, "intent": f"To know {at}.", "number": at} for at in range(5)]
    for rows in (pair, talks):
        if name == "rows.parquet":
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
        else:
            (tmp_path / name).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        assert SeedFile(SeedsConfig(path=str(tmp_path / name))).scan().notes == ()
