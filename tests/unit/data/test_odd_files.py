"""Files that were joined, cut, or saved as something else: every row is read, or one line says what to do."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staragents.base.errors import BadInput
from staragents.config import SeedsConfig
from staragents.data.seed_file import SeedFile

ROWS = [{"instruction": f"Ask {number}.", "output": f"Say {number}."} for number in range(4)]
LINES = [json.dumps(row) for row in ROWS]
CHATS = [
    json.dumps(
        [{"role": "user", "content": row["instruction"]}, {"role": "assistant", "content": row["output"]}]
    )
    for row in ROWS
]
EXPECTED = [(row["instruction"], row["output"]) for row in ROWS]


def tar() -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        info = tarfile.TarInfo("rows.jsonl")
        info.size = len(LINES[0])
        archive.addfile(info, io.BytesIO(LINES[0].encode()))
    return whole.getvalue()


READ = {
    "lines that end with commas.jsonl": ",\n".join(LINES),
    "joined files with byte order marks.jsonl": "\ufeff" + "\n\ufeff".join(LINES),
    "objects on one line.json": "".join(LINES),
    "objects with a space between.jsonl": " ".join(LINES),
    "old line ends.jsonl": "\r".join(LINES),
    "lists of turns.jsonl": "\n".join(CHATS) + "\n",
    "rows as text.jsonl": "\n".join(map(json.dumps, LINES)),
    "an array of texts.json": json.dumps(LINES),
    "spaces after quotes.csv": 'instruction,output\n"Ask 0." ,"Say 0."\n'
    + "".join(f'"Ask {n}.","Say {n}."\n' for n in (1, 2, 3)),
}


@pytest.mark.parametrize("name", READ)
def test_every_row_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(READ[name].encode())
    file = SeedFile(SeedsConfig(path=str(path)))
    assert file.scan().bad_rows == 0
    assert [(seed.instruction, seed.response) for seed in file.seeds()] == EXPECTED


REFUSED = {
    "rows.zip": (b"PK\x03\x04rows", "got a zip archive or an Excel workbook; unpack it, or export it as CSV"),
    "rows.jsonl.xz": (lzma.compress(LINES[0].encode()), "got an xz file; unpack it"),
    "rows.tar.gz": (gzip.compress(tar()), "got a tar archive; unpack it"),
    "rows.parquet": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "got a Git LFS pointer; run",
    ),
    "rows.csv": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "got a Git LFS pointer; run"),
    "rows.jsonl": (
        b"<!DOCTYPE html>\n<html>Sign in</html>\n",
        "got a web page; was a login or an error page",
    ),
    "rows.feather": (b"FEA1rows", "got a Feather file of version 1; write it as Parquet or JSON"),
    "rows.pkl": (b"\x80\x04\x95rows", "got a pickle; write it as Parquet or JSON"),
    "open.csv": (b'instruction,output\nAsk 0.,"Say 0.\nAsk 1.,Say 1.\n', ":2: not CSV"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_format_is_named_in_one_line(tmp_path: Path, name: str) -> None:
    content, expected = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput) as caught:
        SeedFile(SeedsConfig(path=str(tmp_path / name))).scan()
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{tmp_path / name}:")
    assert expected in line


@pytest.mark.parametrize("row", [r'"say \"Ask 0.\" now",no', '"say "Ask 0." now",no'])
def test_a_quote_within_a_quoted_text_makes_a_bad_row(tmp_path: Path, row: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f'instruction,output\n{row}\nAsk 1.,"Say ""1""."\n', encoding="utf-8")
    file = SeedFile(SeedsConfig(path=str(path)))
    reason = "row: expected quotes within a quoted text to be written twice"
    assert file.scan().problems == (f'{path}:2:{reason}, got one " within it',)
    assert [(seed.instruction, seed.response) for seed in file.seeds()] == [("Ask 1.", 'Say "1".')]


def test_a_folder_without_data_names_what_is_there(tmp_path: Path) -> None:
    for name in ("a.zip", "b.txt", "c.md", "d.png"):
        (tmp_path / name).touch()
    with pytest.raises(BadInput, match=r"got a\.zip, b\.txt, c\.md, \.\.\.$"):
        SeedFile(SeedsConfig(path=str(tmp_path)))


def test_a_missing_file_with_a_similar_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "my_seeds.jsonl").touch()
    with pytest.raises(BadInput, match=r"no such file \(did you mean 'my_seeds.jsonl'\?\): "):
        SeedFile(SeedsConfig(path=str(tmp_path / "myseeds.jsonl")))


def test_json_that_is_named_csv_is_json(tmp_path: Path) -> None:
    row = {"instruction": "Say 1.", "output": "One, not two."}
    for text in (json.dumps(row) + "\n", json.dumps([row, row], indent=1)):
        (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
        file = SeedFile(SeedsConfig(path=str(tmp_path / "rows.csv")))
        assert [seed.response for seed in file.seeds()] == ["One, not two."]


def test_null_bytes_after_the_last_row_are_one_bad_row(tmp_path: Path) -> None:
    row = json.dumps({"instruction": "Say 1.", "output": "One."}).encode() + b"\n"
    (tmp_path / "rows.jsonl").write_bytes(row + bytes(4096))
    scan = SeedFile(SeedsConfig(path=str(tmp_path / "rows.jsonl"))).scan()
    assert (scan.seeds, scan.bad_rows, scan.notes) == (1, 1, ())


def test_a_parquet_file_with_a_column_twice_is_one_line(tmp_path: Path) -> None:
    columns = [pa.array([text]) for text in ("Say 1.", "One.", "Two.")]
    table = pa.Table.from_arrays(columns, names=["instruction", "output", "output"])
    pq.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(BadInput, match=r"rows\.parquet: expected unique columns, got 'output' twice"):
        SeedFile(SeedsConfig(path=str(tmp_path / "rows.parquet"))).scan()
