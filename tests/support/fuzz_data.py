"""Inputs and checks of rows, files and paths of data."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.config import ColumnsConfig, RowFormat, SeedsConfig
from staragents.data.readers.locations import data_files
from staragents.data.readers.raw_row import InvalidRow
from staragents.data.readers.row_messages import KNOWN_COLUMNS, RowReader
from staragents.data.readers.turn_parts import ROLES, TOOL_ROLES
from staragents.data.seed_file import SeedFile
from tests.support.fuzz_fragments import FOLDER, TEXTS, fragments

# Rows -----------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(sorted(KNOWN_COLUMNS)) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=10,
)
TURNS = st.lists(
    st.dictionaries(
        st.sampled_from(["role", "from", "content", "value", "text", "input", "output", "tool_calls"]),
        st.sampled_from([*ROLES, *TOOL_ROLES]) | TEXTS | JSON,
        max_size=4,
    )
    | TEXTS,
    max_size=5,
)
TREES = st.recursive(
    st.fixed_dictionaries({"role": st.sampled_from(["prompter", "assistant", "x"]), "text": TEXTS}),
    lambda inner: st.fixed_dictionaries(
        {
            "role": st.sampled_from(["prompter", "assistant"]),
            "text": TEXTS,
            "replies": st.lists(inner | JSON),
        },
        optional={"rank": JSON, "deleted": JSON, "review_result": JSON},
    ),
    max_leaves=6,
)
ROWS = JSON | st.dictionaries(
    st.sampled_from(sorted(KNOWN_COLUMNS)) | st.text(max_size=6), TEXTS | TURNS | TREES | JSON, max_size=6
)
COLUMNS = st.builds(
    ColumnsConfig,
    **{name: st.none() | st.sampled_from(sorted(KNOWN_COLUMNS)) for name in ColumnsConfig().__dict__},
)


def check_row(row: Any, named: ColumnsConfig, format_: RowFormat, rewritable: bool, blank: bool) -> None:
    reader = RowReader(named, 100, blank, format_, rewritable)
    try:
        _, messages = reader.read(row)
    except InvalidRow as problem:
        invalid = problem.problem
    else:
        invalid = None
    if invalid is not None:
        assert f"{invalid.field}: {invalid.message}".encode()
        assert "\n" not in invalid.message
        return
    turns = [one.role for one in messages if one.role != "system"]
    assert turns == ["user", "assistant"] * (len(turns) // 2)
    assert turns
    assert all(blank or one.content.strip() for one in messages)
    "".join(one.content for one in messages).encode()


# Files ----------------------------------------------------------------------------------------------------

_ROWS = [{"instruction": "Say é.", "input": "", "output": "é"}, {"question": "q", "answer": "a\nb"}]
_ONE_SHAPE = [{"question": f"q{n}", "answer": "a\nb"} for n in range(9)]


def _arrow(stream: bool) -> bytes:
    table, sink = pa.Table.from_pylist(_ONE_SHAPE), io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(_ONE_SHAPE), sink)
    return sink.getvalue()


_PLAIN = [
    b"".join(json.dumps(row).encode() + b"\n" for row in _ROWS),
    json.dumps(_ROWS, indent=1).encode(),
    b'question,answer\r\n"a ""b""",c\r\nd,"e\nf"\r\n',
    b"sep=;\n;question;answer;\n0;a;b;\n;;;\n1;c\n",
    json.dumps({"version": 1, "test": _ROWS[:1], "train": _ROWS}, indent=1).encode(),
    json.dumps({"question": {"0": "a", "1": "b"}, "answer": {"0": "c", "1": "d"}}).encode(),
    "\n".join(json.dumps(row, indent=2) for row in _ROWS).encode(),
    "question,answer\nD\u00e9j\u00e0 vu \u00e0 l'\u00e9cole ?,Tr\u00e8s bien\n".encode("cp1252"),
    json.dumps(_ROWS).encode("utf-16"),
    _parquet(),
    _arrow(True),
    _arrow(False),
]
VALID_FILES = [*_PLAIN, *map(gzip.compress, _PLAIN), *(pa.compress(f, "zstd", asbytes=True) for f in _PLAIN)]


def _changed(data: bytes, edits: list[tuple[float, bytes, int]]) -> bytes:
    for position, put, dropped in edits:
        at = int(position * len(data))
        data = data[:at] + put + data[at + dropped :]
    return data


EDITS = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 9)), max_size=4)
FILES = st.builds(_changed, st.sampled_from(VALID_FILES) | st.binary(max_size=80), EDITS)
NAMES = st.sampled_from(
    ["f.jsonl", "f.json", "f.csv", "f.tsv", "f.parquet", "f.arrow", "f", "f.txt", "f.json.gz"]
)


def check_file(data: bytes, name: str, limit: int | None) -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        file = SeedFile(SeedsConfig(path=str(path), limit=limit, max_unpacked_gib=0.01))
        problems: list[str] = []
        try:
            scan = file.scan()
        except BadInput as error:
            problems = error.problems
        if problems:
            assert all(name in problem for problem in problems)
            return
        assert scan.seeds == len(list(file.seeds()))
        assert scan.bad_rows == len(list(file.bad_rows())) == sum(scan.reasons.values())


PATHS = fragments(
    "*", "**", "[", "]", "?", "~", ".", "\0", "://", "memory://", "file:", ":", "::", "zip://", "/x"
)


def check_path(path: str) -> None:
    if ".." in path or path.startswith(("/", "hf:", "http", "file")):
        return
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, suppress(BadInput):
        data_files(f"{folder}/{path}" if "://" not in path else path, "seeds.path")
