"""What `seeds.path` may be: files of every format and compression, folders, patterns, URLs, the hub."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staragents.base.errors import BadInput
from staragents.config import SeedsConfig
from staragents.data.readers import content
from staragents.data.seed_file import SeedFile

ROWS = [{"question": f"What is {n}?", "answer": f"It is {n}, é\n中."} for n in range(5)]
JSONL = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
ANSWERS = [row["answer"] for row in ROWS]


def arrow(stream: bool) -> bytes:
    table, sink = pa.Table.from_pylist(ROWS), io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return sink.getvalue()


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink)
    return sink.getvalue()


def separated(by: str) -> bytes:
    cells = [[f'"{cell}"' for cell in row.values()] for row in ROWS]
    return "\r\n".join(by.join(line) for line in [["question", "answer"], *cells]).encode()


FORMS = {
    "rows.jsonl": JSONL,
    "rows.json": json.dumps(ROWS).encode(),
    "rows.csv": separated(","),
    "rows.tsv": separated("\t"),
    "excel.csv": separated(";"),
    "rows.parquet": parquet(),
    "rows.arrow": arrow(stream=False),
    "rows.feather": arrow(stream=True),
}
PACKINGS = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}


def file_of(path: Any, **settings: Any) -> SeedFile:
    return SeedFile(SeedsConfig(path=str(path), **settings))


def answers(path: Any, **settings: Any) -> list[str]:
    return [seed.response for seed in file_of(path, **settings).seeds()]


def problem(path: Any, **settings: Any) -> str:
    with pytest.raises(BadInput) as caught:
        file_of(path, **settings).scan()
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("packing", PACKINGS)
def test_every_format_and_compression_gives_the_same_seeds(tmp_path: Path, name: str, packing: str) -> None:
    path = tmp_path / f"{name}{packing}"
    path.write_bytes(PACKINGS[packing](FORMS[name]))
    file = file_of(path)
    assert [seed.response for seed in file.seeds()] == ANSWERS
    (tmp_path / "plain.jsonl").write_bytes(JSONL)
    assert file.scan().sha256 == file_of(tmp_path / "plain.jsonl").scan().sha256


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"])
def test_the_content_decides_not_the_suffix(tmp_path: Path, packing: str, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(PACKINGS[packing](JSONL))
    assert answers(path) == ANSWERS


def test_two_concatenated_compressed_streams_are_one_file(tmp_path: Path) -> None:
    for packing in (".gz", ".zst"):
        path = tmp_path / f"rows.jsonl{packing}"
        path.write_bytes(PACKINGS[packing](JSONL[:60]) + PACKINGS[packing](JSONL[60:]))
        assert answers(path) == ANSWERS


def test_a_folder_or_a_pattern_means_all_its_files_in_name_order(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    for name, row in {"b.jsonl": 1, "a.json": 0, "sub/c.csv": 2, "README.md": 3, ".git/d.json": 4}.items():
        text = f"question,answer\nq{row},{row}\n" if name.endswith("csv") else json.dumps(
            {"question": f"q{row}", "answer": str(row)}
        )  # fmt: skip
        (tmp_path / name).write_text(text)
    assert answers(tmp_path) == ["0", "1", "2"]
    assert answers(tmp_path / "*.json*") == ["0", "1"]
    assert answers(tmp_path / "**" / "*.csv") == ["2"]
    rows = [(seed.row, seed.response) for seed in file_of(tmp_path).seeds()]
    assert rows == [(1, "0"), (2, "1"), (4, "2")]
    assert "got none" in problem(tmp_path / "*.parquet")


def test_bad_rows_of_many_files_are_named_by_file_and_row(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(JSONL + b"oops\n")
    (tmp_path / "b.jsonl").write_bytes(b"\n{}\n")
    bad_rows = [(Path(name).name, bad.row) for name, bad in file_of(tmp_path).bad_rows()]
    assert bad_rows == [("a.jsonl", 6), ("b.jsonl", 2)]


def test_a_column_is_read_by_the_same_row_numbers(tmp_path: Path) -> None:
    for name, first in (("a.jsonl", 0), ("b.jsonl", 2)):
        rows = [{"question": f"q{n}", "answer": "a", "kind": n} for n in range(first, first + 2)]
        (tmp_path / name).write_text("\n".join(json.dumps(row) for row in rows))
    file = file_of(tmp_path)
    assert dict(file.values("kind")) == {seed.row: seed.row - 1 for seed in file.seeds()}


def test_a_url_is_read_by_fsspec() -> None:
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pipe({"/set/b.jsonl.gz": gzip.compress(JSONL), "/set/a.parquet": parquet(), "/set/x.txt": b"?"})
    assert answers("memory://set/b.jsonl.gz") == ANSWERS
    assert answers("memory://set/*.parquet") == ANSWERS
    scan = file_of("memory://set").scan()
    assert (scan.seeds, scan.duplicates) == (5, 5)
    assert problem("memory://set/none.jsonl").startswith("seeds.path: expected .jsonl, ")
    assert "Protocol not known: teleport" in problem("teleport://somewhere/rows.jsonl")


def test_a_url_whose_package_is_missing_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    line = problem("s3://bucket/rows.jsonl")
    assert "s3://bucket/rows.jsonl needs another package: Install s3fs" in line


def test_a_dataset_of_the_hub_is_read_through_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "set"
    folder.mkdir()
    for split in ("train", "test"):
        (folder / f"{split}.jsonl").write_bytes(
            b"".join(JSONL.splitlines(True)[:2]) if split == "test" else JSONL
        )
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    assert answers(f"hf:{folder}") == ANSWERS
    assert answers(f"hf:{folder}:test") == ANSWERS[:2]
    assert "nope" in problem(f"hf:{folder}:nope")
    assert "expected hf:dataset, hf:dataset:split" in problem("hf:")


def test_without_datasets_the_hub_is_a_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "needs the package datasets: pip install datasets" in problem("hf:org/name")


def test_circular_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(JSONL)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert answers(tmp_path) == ANSWERS
    assert answers(tmp_path / "**" / "*.jsonl") == ANSWERS
    os.symlink("rows.jsonl", tmp_path / "good.jsonl")
    assert answers(tmp_path / "good.jsonl") == ANSWERS


@pytest.mark.parametrize("name", ["self.jsonl", "dead.jsonl"])
def test_a_broken_symbolic_link_among_the_data_is_named(tmp_path: Path, name: str) -> None:
    link = tmp_path / "set" / name
    link.parent.mkdir()
    link.symlink_to(tmp_path / "set" / ("self.jsonl" if name == "self.jsonl" else "gone"))
    (tmp_path / "set" / "rows.jsonl").write_bytes(JSONL)
    for path in (link, link.parent, tmp_path, link.parent / "*.jsonl", tmp_path / "**" / "*.jsonl"):
        assert problem(path).startswith("seeds.path: expected a file, a folder, ")
        assert problem(path).endswith(f", got a broken symbolic link: {link}")


def test_a_broken_symbolic_link_that_is_not_read_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes(JSONL)
    for name in ("test.jsonl", "README.md", ".hidden.jsonl"):
        (tmp_path / name).symlink_to(tmp_path / "gone")
    assert answers(tmp_path) == ANSWERS


@pytest.mark.parametrize(
    "path", ["a\0b", "x" * 5000, "~nobody-of-that-name/x", "**x/*.json", "dir/", "/dev/null"]
)
def test_an_odd_path_is_one_clear_line(path: str) -> None:
    assert problem(path).count("\n") == 0


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_decompression_bomb_stops_at_the_limit(tmp_path: Path, packing: str) -> None:
    bomb = PACKINGS[packing](b"\0" * (64 << 20))
    path = tmp_path / f"rows.jsonl{packing}"
    path.write_bytes(bomb)
    assert len(bomb) < 1 << 17
    line = problem(path, max_unpacked_gib=0.01)
    assert "expected at most 0.01 GiB when decompressed (seeds.max_unpacked_gib), got more" in line


def test_an_array_element_has_a_size_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.json"
    monkeypatch.setattr("staragents.data.readers.json_array.MAX_ROW_BYTES", 4 << 20)
    path.write_bytes(b'[{"question": "' + b"x" * (16 << 20))
    assert problem(path) == f"{path}:1: expected at most 4 MiB a row, got more"


def test_a_line_without_end_is_one_bad_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl.gz"
    monkeypatch.setattr("staragents.data.readers.json_rows.MAX_ROW_BYTES", 4 << 20)
    path.write_bytes(
        gzip.compress(JSONL + b'"' + b"x" * (16 << 20) + b'"\n' + JSONL.replace(b"What", b"Why"))
    )
    scan = file_of(path).scan()
    assert (scan.seeds, scan.bad_rows) == (10, 1)
    assert "rows.jsonl.gz:6:row: expected at most 4 MiB a line" in scan.problems[0]


def test_fifty_megabytes_on_one_line_are_a_bad_row_among_good_ones(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    huge = json.dumps({"question": "x" * (50 << 20), "answer": "a"}).encode()
    assert len(huge) < content.MAX_ROW_BYTES
    path.write_bytes(JSONL + huge + b"\n")
    scan = file_of(path).scan()
    assert (scan.seeds, scan.bad_rows) == (5, 1)
    assert "seeds.max_chars" in scan.problems[0]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("packing", PACKINGS)
def test_a_file_cut_anywhere_gives_its_first_rows_or_bad_input(
    tmp_path: Path, name: str, packing: str
) -> None:
    whole = PACKINGS[packing](FORMS[name])
    for end in range(1, len(whole), max(1, len(whole) // 40)):
        path = tmp_path / f"{end}-{name}{packing}"
        path.write_bytes(whole[:end])
        found: list[str] = []
        with suppress(BadInput):
            found.extend(seed.response for seed in file_of(path).seeds())
        assert found == ANSWERS[: len(found)]
        if name == "rows.jsonl" and not packing:
            # The last line may lack no more than its end.
            assert len(found) == len((whole[:end] + b"\n").split(b"}\n")) - 1
        try:
            seeds = file_of(path).scan().seeds
        except BadInput:
            continue
        assert seeds == len(found)
