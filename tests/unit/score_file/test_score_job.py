"""Scoring files without a model: the output and refused input."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.base.messages import Message
from staragents.config import ColumnsConfig
from staragents.score_file import spill
from staragents.score_file.selection import Selection
from tests.support.score_jobs import expected, job, jsonl, read, row


@pytest.mark.parametrize("name", ["s.parquet", "s.jsonl", "s.jsonl.gz"])
def test_the_columns_of_the_input_are_kept_and_followed_by_the_scores(
    tmp_path: Path, data: Path, name: str
) -> None:
    job(data, tmp_path / name)
    rows = read(tmp_path / name)
    assert len(rows) == 60
    for n, found in enumerate(rows):
        messages = (Message("user", f"Say {n}."), Message("assistant", f"It is {n}, and no other number."))
        assert found == row(n) | expected(messages)
    assert list(rows[0])[:3] == ["instruction", "input", "output"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", name, f"{name}.summary.json"]


def test_pandas_reads_the_output(tmp_path: Path, data: Path) -> None:
    job(data, tmp_path / "s.parquet")
    frame = pandas.read_parquet(tmp_path / "s.parquet")
    ratio = (frame.target_nll_cond - frame.target_nll_direct).map(math.exp)
    assert frame.target_ifd.tolist() == pytest.approx(ratio.tolist())


def test_without_a_larger_model_its_columns_are_absent(tmp_path: Path, data: Path) -> None:
    job(data, tmp_path / "s.parquet", larger=None)
    assert not {"larger_ifd", "ifd_gap"} & set(pq.read_schema(tmp_path / "s.parquet").names)


def test_bad_rows_are_left_out_with_their_place_and_reason(tmp_path: Path) -> None:
    lines = [
        row(0),
        b"oops\n",
        {"x": 1},
        row(1, output=7),
        row(2, output=""),
        b'{"instruction": "\xff"}\n',
        row(3),
    ]
    data = jsonl(tmp_path / "d.jsonl", lines)
    summary = job(data, tmp_path / "s.jsonl")
    assert [r["target_status"] for r in read(tmp_path / "s.jsonl")] == ["ok", "empty", "ok"]
    assert (summary["rows"], summary["bad_rows"], summary["rows_written"]) == (7, 4, 3)
    problems = [r["problem"] for r in read(tmp_path / "s.jsonl.quarantine.jsonl")]
    assert [p.split(": ")[0] for p in problems] == [
        f"{data}:2:row",
        f"{data}:3:instruction",
        f"{data}:4:output",
        f"{data}:6:row",
    ]
    with pytest.raises(BadInput, match="4:output"):
        job(data, tmp_path / "strict.jsonl", strict=True)
    assert not list(tmp_path.glob("strict*"))


MIXED = [
    row(0, meta={"a": 1}, big=2**60 + 1, tags=[]),
    row(1, meta="text", big=0.5, tags=["x"]),
    row(2, meta=[1, "b"], extra={}, half="\ud83d"),
    row(3, meta=None, big=2**70),
]


@pytest.mark.parametrize("block_rows", [1, 1000])
def test_mixed_types_keep_their_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_rows: int
) -> None:
    monkeypatch.setattr("staragents.data.readers.data_files.BLOCK_ROWS", block_rows)
    data = jsonl(tmp_path / "d.jsonl", MIXED)
    job(data, tmp_path / "s.jsonl")
    assert [
        {k: r[k] for k in original} for r, original in zip(read(tmp_path / "s.jsonl"), MIXED, strict=True)
    ] == MIXED
    job(data, tmp_path / "s.parquet")
    table = pq.read_table(tmp_path / "s.parquet")
    texts = {field.name for field in table.schema if (field.metadata or {}).get(b"staragents") == b"json"}
    assert texts == {"meta", "big", "extra", "half"}
    for found, original in zip(table.to_pylist(), MIXED, strict=True):
        for name, value in original.items():
            got = found[name]
            assert (json.loads(got) if name in texts and got is not None else got) == value


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    original = pa.table(
        {
            "instruction": [f"Say {n}." for n in range(5)],
            "output": [f"It is number {n}." for n in range(5)],
            "when": pa.array(range(5), pa.timestamp("ns", "UTC")),
            "kind": pa.array(["a", "b", "a", None, "b"]).dictionary_encode(),
            "money": pa.array([1, 2, 3, 4, 5], pa.decimal128(12, 2)),
            "many": pa.array([{"x": 1}] * 5, pa.map_(pa.string(), pa.int16())),
        }
    )
    pq.write_table(original, tmp_path / "d.parquet")
    job(tmp_path / "d.parquet", tmp_path / "s.parquet")
    assert pq.read_table(tmp_path / "s.parquet").select(original.column_names) == original


def test_csv_values_stay_text(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text('q,a,id\n"Say, 7","It is seven, I think.",007\n', encoding="utf-8")
    columns = ColumnsConfig(instruction="q", response="a")
    job(tmp_path / "d.csv", tmp_path / "s.parquet", columns=columns)
    (found,) = read(tmp_path / "s.parquet")
    assert (found["q"], found["id"], found["target_status"]) == ("Say, 7", "007", "ok")


def test_scores_of_an_earlier_file_are_replaced(tmp_path: Path, data: Path) -> None:
    job(data, tmp_path / "one.parquet")
    job(tmp_path / "one.parquet", tmp_path / "two.parquet")
    assert pq.read_table(tmp_path / "one.parquet") == pq.read_table(tmp_path / "two.parquet")


@pytest.mark.parametrize("name", ["s.parquet", "s.jsonl"])
@pytest.mark.parametrize("bucket", [1, 7, 1000])
def test_sorted_output_is_the_same_with_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, bucket: int
) -> None:
    monkeypatch.setattr(spill, "BUCKET_ROWS", bucket)
    data = jsonl(
        tmp_path / "d.jsonl",
        [row(n % 40, output="" if n % 9 == 0 else f"x {n % 40}", id=n) for n in range(60)],
    )
    job(data, tmp_path / "plain.parquet")
    rows = read(tmp_path / "plain.parquet")
    job(data, tmp_path / name, selection=Selection("gap"))
    in_order = sorted(rows, key=lambda r: (r["ifd_gap"] is None, -(r["ifd_gap"] or 0)))
    assert [r["id"] for r in read(tmp_path / name)] == [r["id"] for r in in_order]


def test_top_takes_the_highest_below_one(tmp_path: Path, data: Path) -> None:
    job(data, tmp_path / "all.parquet")
    rows = read(tmp_path / "all.parquet")
    best = sorted((r["target_ifd"] for r in rows if r["target_ifd"] < 1), reverse=True)
    assert max(r["target_ifd"] for r in rows) > 1
    job(data, tmp_path / "top.parquet", selection=Selection(None, "10%"))
    top = [r["target_ifd"] for r in read(tmp_path / "top.parquet")]
    assert sorted(top, reverse=True) == best[:6]
    assert top == [r["target_ifd"] for r in rows if r["target_ifd"] in top]
    job(data, tmp_path / "more.parquet", selection=Selection("ifd", "500"))
    assert [r["target_ifd"] for r in read(tmp_path / "more.parquet")] == best


@pytest.mark.parametrize("top", ["0", "-3", "101%", "0%", "1.5", "many", "", "10 %", "nan", "1e3"])
def test_a_meaningless_top_is_bad_input(top: str) -> None:
    with pytest.raises(BadInput, match="--top: expected"):
        Selection(None, top)


def test_standard_input_is_scored_and_leaves_nothing(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data.read_bytes())))
        job("-", tmp_path / "s.jsonl")
    assert len(read(tmp_path / "s.jsonl")) == 60
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", "s.jsonl", "s.jsonl.summary.json"]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=1, max_size=20))
def test_any_texts_are_kept_unchanged(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    rows = [dict(zip(("instruction", "input", "output"), text, strict=True)) for text in texts]
    data = jsonl(folder / "d.jsonl", rows)
    for name in ("s.parquet", "s.jsonl"):
        job(data, folder / name)
        assert [{k: r[k] for k in rows[0]} for r in read(folder / name)] == rows
