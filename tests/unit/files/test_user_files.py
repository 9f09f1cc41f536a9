"""User files that are not text files, of every kind: one line each, and nothing blocks."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from staragents.agents.prompt_templates import read_prompt
from staragents.base.errors import BadInput
from staragents.files.user_files import MOST_TEXT_BYTES, read_text
from staragents.filters.block_list import BlockList
from staragents.replay.recorded_answers import RecordedAnswers
from staragents.replay.recorded_table import RecordedTable
from staragents.validation.loading import load_config

SECRET = "hunter2"


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(path))  # an absolute path may be too long for a socket


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MOST_TEXT_BYTES + 1)


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "got a pipe"),
    "folder": (Path.mkdir, "got a folder"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "got a device"),
    "standard input": (lambda path: path.symlink_to("/dev/null"), "got a device"),
    "socket": (_socket, "got a socket"),
    "broken link": (lambda path: path.symlink_to("gone"), "a broken symbolic link"),
    "link to itself": (lambda path: path.symlink_to(path.name), "symbolic links"),
    "huge": (_large, "at most 4 MiB"),
    "binary": (lambda path: path.write_bytes(b"\x7fELF\0\0"), "a binary one"),
    "not UTF-8": (lambda path: path.write_bytes(b"a: 1\nb: \xff"), ":2: expected UTF-8, got the byte 0xff"),
    "missing": (lambda path: None, "no such file"),
}


@pytest.fixture(params=ODD, ids=list(ODD))
def odd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    monkeypatch.chdir(tmp_path)
    make, message = ODD[request.param]
    path = tmp_path / "odd.yaml"
    make(path)
    return path, message


def problems(read: Callable[[], object]) -> list[str]:
    with pytest.raises(BadInput) as caught:
        read()
    return caught.value.problems


def test_a_file_that_is_not_text_is_one_line_with_its_path(odd: tuple[Path, str]) -> None:
    path, message = odd
    (line,) = problems(lambda: read_text(path))
    assert line.startswith(str(path))
    assert message in line


@pytest.mark.timeout(20)
def test_every_reader_of_text_refuses_it(odd: tuple[Path, str]) -> None:
    path, message = odd
    (path.parent / "top.yaml").write_text("extends: odd.yaml")
    readers: list[Callable[[], object]] = [
        lambda: load_config(path),
        lambda: load_config(path.parent / "top.yaml"),
        lambda: read_prompt(path, {}),
        lambda: BlockList(str(path)),
    ]
    if path.exists() and path.is_file() and path.stat().st_size > MOST_TEXT_BYTES:
        readers.pop()  # word lists may be larger
    for read in readers:
        (line,) = problems(read)
        assert str(path) in line
        assert message in line


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_a_recorded_table_is_a_file(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(path := tmp_path / "table.jsonl")
    for read in (RecordedTable.read, RecordedAnswers.read):
        (line,) = problems(lambda read=read: read(path))
        assert line.startswith(f"{path}: ")
        assert "expected a file, got a" in line


@pytest.mark.parametrize("path", ["nul\0byte.yaml", "~nobody-of-that-name/x.yaml", "x" * 5000])
def test_an_impossible_file_name_is_one_line(path: str) -> None:
    assert len(problems(lambda: read_text(path))) == 1
    assert len(problems(lambda: load_config(path))) == 1


@pytest.mark.parametrize(
    "text",
    [
        f"root:x:{SECRET}:/root\nme:x:1\n",
        f"- {SECRET}\n",
        f"'{SECRET}': [\n",
        f"password: *{SECRET}\n",
        f"password: !{SECRET} x\n",
        f"'my {SECRET}': 1\n'my {SECRET}': 2\n",
        f'{{"{SECRET}": {{}} x',
        f"a: 1:99{SECRET}\n  b: {SECRET}\n c: {SECRET}\n",
        f"\x01{SECRET}\n",
        f"%{SECRET} x\n",
        f"&{SECRET} a\n",
    ],
)
def test_no_message_quotes_a_file_that_is_not_a_config(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets").write_text(text)
    (tmp_path / "top.yaml").write_text("extends: secrets")
    found = problems(lambda: load_config(tmp_path / "top.yaml"))
    assert "secrets" in found[0]
    assert SECRET not in "\n".join(found)


def test_no_message_quotes_a_file_that_is_not_a_recorded_table(tmp_path: Path) -> None:
    (path := tmp_path / "table").write_text(f"{SECRET}\n")
    for read in (RecordedTable.read, RecordedAnswers.read):
        assert SECRET not in "\n".join(problems(lambda read=read: read(path)))
