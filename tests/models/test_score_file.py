"""`staragents score` with a real model, killed during the run."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas
import pyarrow.parquet as pq
import pytest

from tests.support.paths import ROOT

ROWS = 12


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [
        {
            "instruction": f"What do {n + 2} apples cost at {n + 1} coins each?",
            "output": f"They cost {(n + 2) * (n + 1)} coins. "
            + "That is what multiplying both numbers gives. " * 4,
            "id": n,
        }
        for n in range(ROWS)
    ]
    path = tmp_path / "data.json.gz"
    path.write_bytes(gzip.compress(json.dumps(rows).encode()))
    return path


def score(data: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cluster.job", "score", str(data), "-o", str(output)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*command, "--target", "packaged:smollm2-135m-instruct"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
    )


def test_a_killed_command_resumes_with_the_same_values(tmp_path: Path, data: Path, smollm2: str) -> None:
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    assert score(data, whole).wait(400) == 0
    first = score(data, out)
    parts = tmp_path / "out.parquet.parts"
    deadline = time.monotonic() + 200
    # A part is written as soon as a window is done; the second window is in flight then.
    while not list(parts.glob("part-*")) and not out.exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    first.send_signal(signal.SIGKILL)
    first.wait(30)
    saved = sum(pq.read_metadata(part).num_rows for part in parts.glob("part-*"))
    assert 0 < saved <= ROWS
    assert not out.exists()
    second = score(data, out)
    _, error = second.communicate(timeout=400)
    assert second.returncode == 0
    assert f"{saved} of {ROWS} rows are already scored" in error.decode()
    expected, found = pandas.read_parquet(whole), pandas.read_parquet(out)
    assert found.id.tolist() == list(range(ROWS))
    pandas.testing.assert_frame_equal(found, expected, rtol=1e-5)
    assert not parts.exists()
