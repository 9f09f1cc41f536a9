"""The IFD benchmark itself, on a tiny model: it is run on machines with a GPU, which tests are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

WORST = 1e-5


def test_the_ifd_benchmark_scores_as_the_naive_loop_does(tmp_path: Path) -> None:
    profile = tmp_path / "profile.txt"
    size = ["--random-weights", "tiny", "--mix", "short", "--rows", "3", "--naive-rows", "2", "--rounds", "1"]
    said = subprocess.run(
        [sys.executable, "benchmarks/ifd.py", *size, "--device", "cpu", "--profile", str(profile)],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    lines = {words[1]: words for line in said.splitlines() if (words := line.split())[:1] == ["short"]}
    assert set(lines) == {"naive", "padded", "packed"}
    assert all(float(words[-1]) < WORST for words in lines.values())
    assert "aten::mm" in profile.read_text(encoding="utf-8")
