"""Unread output and missing standard streams."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

HEAD = "import sys\nfrom staragents.files.standard_streams import *\nsecure_standard_streams()\n"
MANY = "for n in range(100_000): print(n)\n"
OUTLIVES = "outlive_readers()\n" + MANY + "flush_all()\nopen('finished', 'w').close()\n"


def shell(command: str, folder: Path, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def script(folder: Path, code: str) -> str:
    (folder / "script.py").write_text(HEAD + code)
    return '"$PYTHON" script.py'


def test_a_long_command_outlives_its_reader(tmp_path: Path) -> None:
    assert shell(f"{script(tmp_path, OUTLIVES)} | head -n 1", tmp_path) == (0, "0\n", "")
    assert (tmp_path / "finished").exists()


@pytest.mark.parametrize("into", [">/dev/full", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_long_command_outlives_an_output_that_fails(tmp_path: Path, into: str) -> None:
    assert shell(f"{script(tmp_path, OUTLIVES)} {into}", tmp_path)[0] == 0
    assert (tmp_path / "finished").exists()


def test_a_long_command_outlives_its_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    (tmp_path / "script.py").write_text(f"{HEAD}input()\n{OUTLIVES}")
    # Without a controlling terminal, so that nothing but the output fails.
    process = subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.close(ours)
    process.communicate(b"\n", timeout=60)
    assert process.returncode == 0
    assert (tmp_path / "finished").exists()


def test_other_commands_end_quietly_with_their_reader(tmp_path: Path) -> None:
    assert shell(f"{script(tmp_path, MANY)} | head -n 1", tmp_path) == (1, "0\n", "")


def test_a_full_output_device_is_one_line(tmp_path: Path) -> None:
    command = '"$PYTHON" -m cluster.job --version > /dev/full'
    code, _, error = shell(command, ROOT)
    assert (code, error) == (1, "error: can't write the output: No space left on device\n")


def test_a_closed_stream_does_not_become_a_file_of_ours(tmp_path: Path) -> None:
    code = "import os\nfile = open('data', 'w')\nos.write(1, b'noise')\nos.write(2, b'noise')\n"
    shell(f"{script(tmp_path, code)} <&- >&- 2>&-", tmp_path)
    assert (tmp_path / "data").read_text() == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_stays_json_whatever_the_encoding(encoding: str) -> None:
    text = "\u00e9 \u4e2d \U0001f600"
    code = f"{HEAD}import json\nprint(json.dumps({text!r}, ensure_ascii=False))\n"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
    )
    assert done.stderr == b""
    assert json.loads(done.stdout.decode(encoding)) == text
