"""Seed files: formats, counts, order, and unusable files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.config import SeedsConfig
from staragents.data.seed_file import SeedFile
from tests.support.paths import SHARED


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"instruction": f"Say {number}.", "input": "", "output": f"It is {number}.", **more}


def jsonl(*rows: Any) -> bytes:
    return b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in rows)


@pytest.fixture
def seeds_path(tmp_path: Path) -> Path:
    return tmp_path / "seeds.jsonl"


def seed_file(path: Path, content: bytes, **settings: Any) -> SeedFile:
    path.write_bytes(content)
    return SeedFile(SeedsConfig(path=str(path), **settings))


def problems(path: Path, content: bytes, **settings: Any) -> list[str]:
    with pytest.raises(BadInput) as caught:
        seed_file(path, content, **settings).scan()
    return caught.value.problems


MIXED = jsonl(
    row(1), b"oops\n", b"\n", row(2), row(1), {"text": "x"}, row(3), b'{"instruction": "\xff"}\n', row(4)
)


def test_a_scan_counts_seeds_bad_rows_and_duplicates(seeds_path: Path) -> None:
    scan = seed_file(seeds_path, MIXED).scan()
    assert (scan.seeds, scan.bad_rows, scan.duplicates) == (4, 3, 1)
    assert [problem.split(": ")[0] for problem in scan.problems] == [
        f"{seeds_path}:2:row",
        f"{seeds_path}:6:instruction",
        f"{seeds_path}:8:row",
    ]
    assert [seed.instruction for seed in scan.sample] == ["Say 1.", "Say 2.", "Say 3."]


def test_reasons_group_bad_rows_without_their_values(seeds_path: Path) -> None:
    content = jsonl(
        row(0),
        *({"messages": [{"role": role, "content": "x"}]} for role in ("bot", "gpt", "owl")),
        *({"instruction": "a", "output": "b", "answer": str(n)} for n in range(2)),
        b"oops\n",
        b" oops\n",
        row(1, output=3),
    )
    scan = seed_file(seeds_path, content).scan()
    assert scan.reasons == {
        "messages[].role: expected system or user": 3,
        "output: output, answer could each be the response": 2,
        "row: not JSON: Expecting value": 2,
        "output: expected text": 1,
    }


def test_seeds_come_in_file_order_with_their_line_numbers(seeds_path: Path) -> None:
    file = seed_file(seeds_path, MIXED)
    assert [(seed.row, seed.instruction) for seed in file.seeds()] == [
        (1, "Say 1."),
        (4, "Say 2."),
        (7, "Say 3."),
        (9, "Say 4."),
    ]
    assert list(file.seeds(start=2)) == list(file.seeds())[2:]


def test_bad_rows_are_read_again_for_the_quarantine(seeds_path: Path) -> None:
    found = list(seed_file(seeds_path, MIXED).bad_rows())
    assert [(bad.row, bad.problem.field) for _, bad in found] == [(2, "row"), (6, "instruction"), (8, "row")]


def test_a_limit_takes_the_first_usable_rows(seeds_path: Path) -> None:
    file = seed_file(seeds_path, MIXED, limit=2)
    assert [seed.row for seed in file.seeds()] == [1, 4]
    scan = file.scan()
    assert (scan.seeds, scan.bad_rows, scan.duplicates) == (2, 1, 0)


@pytest.mark.parametrize("suffix", [".jsonl", ".gz", ".txt"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["lines", "array", "pretty", "crlf", "byte order mark", "no last newline"])
def test_every_form_gives_the_same_seeds(tmp_path: Path, suffix: str, packed: bool, form: str) -> None:
    rows = [row(1), row(2, input="\u2028 two"), row(3)]
    content = {
        "lines": jsonl(*rows),
        "array": json.dumps(rows).encode(),
        "pretty": b"\n\n" + json.dumps(rows, indent=2, ensure_ascii=False).encode(),
        "crlf": jsonl(*rows).replace(b"\n", b"\r\n"),
        "byte order mark": b"\xef\xbb\xbf" + json.dumps(rows).encode(),
        "no last newline": jsonl(*rows).rstrip(b"\n"),
    }[form]
    file = seed_file(tmp_path / f"seeds{suffix}", gzip.compress(content) if packed else content)
    assert [seed.response for seed in file.seeds()] == ["It is 1.", "It is 2.", "It is 3."]
    assert file.scan().sha256 == seed_file(tmp_path / "plain", content).scan().sha256


def test_rows_of_an_array_are_counted_from_one(seeds_path: Path) -> None:
    scan = seed_file(seeds_path, json.dumps([row(1), 5, row(2)]).encode()).scan()
    assert scan.problems[0].startswith(f"{seeds_path}:2:row: expected an object")


def test_a_megabyte_of_instruction_is_a_bad_row_with_both_numbers(seeds_path: Path) -> None:
    huge = row(1, instruction="x" * 1_048_576)
    scan = seed_file(seeds_path, jsonl(huge, row(2))).scan()
    assert (scan.seeds, scan.bad_rows) == (1, 1)
    assert "at most 100000 characters (seeds.max_chars), got 1048576" in scan.problems[0]


def test_a_missing_file_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"seeds.path: expected .* no such file: .*nowhere.jsonl"):
        SeedFile(SeedsConfig(path=str(tmp_path / "nowhere.jsonl")))


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"seeds.path: expected .jsonl, .* got none"):
        SeedFile(SeedsConfig(path=str(tmp_path)))


@pytest.mark.parametrize("content", [b"", b"\n \n", b"[]", gzip.compress(b"", mtime=0)])
def test_an_empty_file_has_no_rows(seeds_path: Path, content: bytes) -> None:
    assert problems(seeds_path, content) == [f"{seeds_path}: expected rows, got an empty file"]


def test_a_file_without_a_good_row_shows_why(seeds_path: Path) -> None:
    lines = problems(seeds_path, b"not json\n" * 25)
    assert lines == [
        f"{seeds_path}:1:row: not JSON: Expecting value at character 1 (25 rows like this)",
        f"{seeds_path}: expected at least one usable row, got 25 bad ones",
    ]


def test_alike_bad_rows_are_one_line_with_their_number(seeds_path: Path) -> None:
    content = jsonl(row(1), row(2, output=5), b"oops\n", row(3, input=[5]), b"no\n", row(4, output=6.5))
    assert problems(seeds_path, content, strict=True) == [
        f"{seeds_path}:2:output: expected text, got 5 (2 rows like this)",
        f"{seeds_path}:3:row: not JSON: Expecting value at character 1 (2 rows like this)",
        f"{seeds_path}:4:input: expected text, got a list of 1: set seeds.columns.input to "
        "another column, or to nothing",
    ]


def test_strict_lists_the_first_twenty_kinds_of_bad_rows(seeds_path: Path) -> None:
    responses = ("output", "response", "answer", "completion", "solution", "target", "targets")
    instructions = ("instruction", "question", "query", "problem", "prompt", "inputs", "input")
    bad = [{"instruction": "a", name: 5} for name in responses]
    bad += [{name: 5, "output": "b"} for name in instructions]
    bad += [row(1, **{name: 5}) for name in ("input", "context", "system", "system_prompt", "history")]
    bad += [{"messages": 5}, {"messages": [5]}, {"messages": [5, 5]}, *[{}] * 3, 5, []]
    lines = problems(seeds_path, jsonl(row(1), *bad), strict=True)
    assert len(lines) == 21
    assert lines[-1] == f"{seeds_path}: and 5 more bad rows"


def test_a_broken_array_names_the_line(seeds_path: Path) -> None:
    (line,) = problems(seeds_path, b'\n[\n{"instruction": "a"},\n{oops}\n]')
    assert line.startswith(f"{seeds_path}:4: not JSON: ")


def test_invalid_utf8_in_an_array_names_the_line(seeds_path: Path) -> None:
    (line,) = problems(seeds_path, b'[\n{"instruction": "\xff"}]')
    assert line == f"{seeds_path}:2: expected UTF-8, got the byte 0xff"


def test_an_array_nested_without_end_is_bad_input(seeds_path: Path) -> None:
    (line,) = problems(seeds_path, b"[" * 100_000)
    assert "nesting too deep" in line


def test_a_gzip_file_cut_short_is_damaged(seeds_path: Path) -> None:
    packed = gzip.compress(jsonl(*[row(number) for number in range(200)]))
    (line,) = problems(seeds_path, packed[: len(packed) // 2])
    assert "the gzip file is damaged" in line


def test_the_bundled_seeds_are_all_usable() -> None:
    scan = SeedFile(SeedsConfig(path="bundled:self-instruct")).scan()
    assert (scan.seeds, scan.bad_rows, scan.duplicates) == (175, 0, 0)


def test_the_bundled_seeds_match_their_source() -> None:
    source = SHARED / "dev/self_instruct_seed_tasks.jsonl"
    if not source.is_file():
        pytest.skip("the source data is not on this machine")
    tasks = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    seeds = list(SeedFile(SeedsConfig(path="bundled:self-instruct")).seeds())
    assert [seed.response for seed in seeds] == [task["instances"][0]["output"] for task in tasks]
    assert all(
        seed.instruction.startswith(task["instruction"]) for seed, task in zip(seeds, tasks, strict=True)
    )


def test_an_unknown_bundled_name_shows_the_known_one() -> None:
    with pytest.raises(BadInput, match="bundled:self-instruct, got bundled:alpaca"):
        SeedFile(SeedsConfig(path="bundled:alpaca"))


def test_a_path_may_be_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.jsonl").write_bytes(jsonl(row(1)))
    monkeypatch.chdir(tmp_path)
    assert SeedFile(SeedsConfig(path="mine.jsonl")).scan().seeds == 1


@settings(deadline=None)
@given(
    lines=st.lists(
        st.binary(max_size=30) | st.sampled_from([json.dumps(row(number)).encode() for number in range(4)]),
        max_size=8,
    ),
    packed=st.booleans(),
    limit=st.none() | st.integers(1, 4),
)
def test_scan_seeds_and_bad_rows_agree_on_any_file(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], packed: bool, limit: int | None
) -> None:
    content = b"\n".join(lines)
    path = tmp_path_factory.mktemp("any") / "seeds"
    file = seed_file(path, gzip.compress(content) if packed else content, limit=limit)
    try:
        scan = file.scan()
    except BadInput:
        return
    assert scan.seeds == len(list(file.seeds()))
    assert scan.bad_rows == len(list(file.bad_rows()))
    assert len({seed.seed_id for seed in file.seeds()}) == scan.seeds
    assert limit is None or scan.seeds <= limit
