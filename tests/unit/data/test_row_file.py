"""Files of rows: the same content in both formats, atomic with `replacing`."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from staragents.base.candidate_schema import CONVERSATION_TYPE
from staragents.base.messages import Message, as_dicts
from staragents.data.row_file import ROWS_PER_GROUP, RowFile
from staragents.files.atomic_file import replacing

SCHEMA = pa.schema([("id", pa.int64()), ("text", pa.string())])


def write(path: Path, rows: int) -> int:
    with replacing(path) as temporary, RowFile(temporary, SCHEMA, path.suffix) as file:
        for number in range(rows):
            file.add({"text": "é\n", "id": number, "other": 1})
    return file.rows


@pytest.mark.parametrize("rows", [0, 1, ROWS_PER_GROUP, ROWS_PER_GROUP + 1])
def test_both_formats_hold_the_columns_of_the_schema(tmp_path: Path, rows: int) -> None:
    expected = [{"id": number, "text": "é\n"} for number in range(rows)]
    assert write(tmp_path / "f.parquet", rows) == write(tmp_path / "f.jsonl", rows) == rows
    table = pq.read_table(tmp_path / "f.parquet")
    assert (table.schema, table.to_pylist()) == (SCHEMA, expected)
    lines = (tmp_path / "f.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines == [json.dumps(row, ensure_ascii=False) for row in expected]


@pytest.mark.parametrize("name", ["f.parquet", "f.jsonl"])
def test_an_error_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path, 1)
    before = path.read_bytes()

    def fail() -> None:
        with replacing(path) as temporary, RowFile(temporary, SCHEMA, path.suffix) as file:
            file.add({"id": 1, "text": "x"})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_file_may_be_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    with replacing(tmp_path / "f", tmp_path / "parts") as temporary:
        assert temporary.parent == tmp_path / "parts"
        temporary.write_text("new")
    assert (tmp_path / "f").read_text() == "new"
    assert not list((tmp_path / "parts").iterdir())


def conversation(text: str, thought: str | None = None) -> list[dict[str, str]]:
    return as_dicts((Message("user", "Why?"), Message("assistant", text, thought)))


@pytest.mark.parametrize("order", ["plain first", "reasoned first", "only plain"])
def test_datasets_reads_rows_with_and_without_reasoning(tmp_path: Path, order: str) -> None:
    """It takes the keys of the first 10 MB."""
    path = tmp_path / "f.jsonl"
    plain = [conversation("x" * 6000) for _ in range(2000)]
    rows = {
        "plain first": [*plain, conversation("Short.", "Because.")],
        "reasoned first": [conversation("Short.", "Because."), *plain],
        "only plain": plain[:3],
    }[order]
    schema = pa.schema([("messages", CONVERSATION_TYPE)])
    with replacing(path) as temporary, RowFile(temporary, schema, ".jsonl") as file:
        for messages in rows:
            file.add({"messages": messages})
    assert list(tmp_path.iterdir()) == [path]
    lines = [json.loads(line)["messages"] for line in path.read_text().splitlines()]
    assert [turn for messages in lines for turn in messages if turn.get("reasoning_content")] == [
        turn for messages in rows for turn in messages if "reasoning_content" in turn
    ]
    assert lines[1:] == rows[1:], "the key is null in the first row at most"
    assert (lines[0] == rows[0]) == (order != "plain first")
    loaded = load_dataset("json", data_files=str(path), cache_dir=str(tmp_path / "cache"))["train"]
    assert loaded.num_rows == len(rows)
    last = loaded[-1 if order == "plain first" else 0]["messages"][-1]
    assert last.get("reasoning_content") == (None if order == "only plain" else "Because.")
