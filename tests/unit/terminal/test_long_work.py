"""Setup of a long-running command before Ray starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.paths import ROOT

CODE = """
import resource
from cluster.terminal.long_work import begin_long_work
try:
    begin_long_work()
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
except Exception as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("-Sn 64", "1024"),
        ("-Sn 2000", "2000"),
        ("-n 64", "ulimit -n: expected at least 1024 open files, got 64"),
    ],
)
def test_a_low_limit_of_open_files_is_raised_or_named(limits: str, said: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'ulimit {limits}; "$0" -c "$1"', sys.executable, CODE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.strip(), done.stderr) == (said, "")
