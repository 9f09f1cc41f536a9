"""CPU and wall time of commands from their start to their exit, most of it imports and process starts.

    python benchmarks/startup.py
    python benchmarks/startup.py --models --repeat 3

CPU is that of the command and every process below it, sampled ten times a second, as Ray's processes are not
counted by the system for their parents. Each command runs `--repeat` times, in turn with the
others, so that a busy machine slows all alike; the medians are printed. `run` writes a new run directory each
time, and the commands that read a run read the last one. `--models` adds `score` under both packaged models.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
SAMPLE_S = 0.1
ROWS = '{"instruction": "Name a river.", "response": "The Rhine is a river in Europe."}\n'


@dataclass
class Measured:
    """A command line and the seconds that its repetitions took."""

    arguments: list[str]
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def row(self) -> str:
        name = " ".join(Path(one).name if os.sep in one else one for one in self.arguments)
        spread = f"{min(self.cpu):.2f} to {max(self.cpu):.2f}"
        cpu, wall = statistics.median(self.cpu), statistics.median(self.wall)
        return f"{name:<60} {cpu:>7.2f} {spread:>16} {wall:>7.2f}"

    def measure(self) -> None:
        """Run it once. Raises CalledProcessError if it fails for another reason than a machine too small."""
        before, started = _spent(), time.monotonic()
        command = [sys.executable, "-m", "cluster.job", *self.arguments]
        sampled: dict[tuple[int, float], float] = {}
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said)
            while process.poll() is None:
                _sample(sampled)
                time.sleep(SAMPLE_S)
            said.seek(0)
            errors = said.read()
        self.wall.append(time.monotonic() - started)
        # A short command is over before it is sampled.
        self.cpu.append(max(_spent() - before, sum(sampled.values())))
        if process.returncode not in (0, 2):
            raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)


def commands(folder: Path, models: bool) -> list[Measured]:
    """In the order of the table. The first writes the run that others read."""
    run, rows = str(folder / "run"), folder / "rows.jsonl"
    rows.write_text(2 * ROWS)
    scored = (
        [
            "score",
            str(rows),
            "--target",
            "packaged:smollm2-135m-instruct",
            "--larger",
            "packaged:gemma-3-270m",
        ],
        ["-o", str(folder / "scores.parquet"), "--overwrite"],
    )
    return [
        Measured(["run", "configs/fake.yaml", "--overwrite", f"output.dir={run}"]),
        Measured(["--help"]),
        Measured(["run", "--help"]),
        Measured(["validate", "configs/fake.yaml"]),
        Measured(["explain", run, "7"]),
        Measured(["status", run]),
        Measured(["plan", "configs/node8.yaml"]),
        Measured(["diagnose", run]),
        *([Measured(scored[0] + scored[1])] if models else []),
    ]


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sample(spent: dict[tuple[int, float], float]) -> None:
    """CPU seconds so far of every process below this one, by its id and start."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            spent[process.pid, process.create_time()] = times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--models", action="store_true", help="Also score two rows under the packaged models."
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = commands(Path(folder), options.models)
        for _ in range(options.repeat):
            for command in measured:
                command.measure()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, medians of {options.repeat}, in seconds")
    print(f"{'command':<60} {'CPU':>7} {'lowest, highest':>16} {'wall':>7}")
    for command in measured:
        print(command.row())


if __name__ == "__main__":
    main()
