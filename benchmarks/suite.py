"""CPU seconds and idle seconds of files of tests: what `make test` computes, and where it only waits.

    python benchmarks/suite.py tests/ray/test_run.py tests/unit/run ... [--json]

Each argument is given to one pytest, one after the other. Its processes are followed to the end: those that
leave their parent (Ray's, vLLM's) become children of this one. Idle are the intervals in which all of them
together used less than a tenth of a core and none was waiting for a core or a disk. Both figures depend far
less than wall time on what else the machine does.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
INTERVAL_S = 0.25
IDLE_CORES = 0.1
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Cost:
    """Seconds of one pytest and all processes below it."""

    tests: str
    cpu_s: float = 0.0
    idle_s: float = 0.0
    wall_s: float = 0.0
    passed: bool = False


def wants_to_run(pid: int) -> bool:
    """Whether a thread of the process is runnable or waits for a disk."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return any((thread / "stat").read_text().rpartition(") ")[2][0] in "RD" for thread in threads)
    except OSError:
        return False  # ended meanwhile


def below() -> tuple[float, bool]:
    """User and system seconds of all descendants, with those already waited for, and whether one of them is
    runnable or waits for a disk."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        parents[int(entry.name)] = int(fields[1])
        ticks[int(entry.name)] = sum(int(value) for value in fields[11:15])
    this, total, busy = os.getpid(), 0, False
    for pid in parents.keys() - {this}:
        above = pid
        while above in parents and above != this:
            above = parents[above]
        if above == this:
            total += ticks[pid]
            busy = busy or wants_to_run(pid)
    waited = os.times()
    return total / TICKS + waited.children_user + waited.children_system, busy


def measured(tests: str, options: list[str]) -> Cost:
    """Run pytest on `tests` and wait for everything it started."""
    cost = Cost(tests)
    command = [sys.executable, "-m", "pytest", "-q", tests, *options]
    began, (before, _) = time.monotonic(), below()
    pytest = os.posix_spawn(sys.executable, command, os.environ)
    since, spent = began, before
    while True:
        time.sleep(INTERVAL_S)
        now, (current, busy) = time.monotonic(), below()
        if not busy and current - spent < IDLE_CORES * (now - since):
            cost.idle_s += now - since
        since, spent = now, current
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == pytest:
                    cost.passed = ended[1] == 0
        except ChildProcessError:
            break
    cost.wall_s, cost.cpu_s = since - began, spent - before
    return cost


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tests", nargs="+", help="files, folders or single tests")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    arguments, options = parser.parse_known_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for tests in arguments.tests:
        cost = measured(tests, options)
        if arguments.json:
            print(json.dumps(asdict(cost)), flush=True)
        else:
            end = "" if cost.passed else "  FAILED"
            print(
                f"{cost.cpu_s:7.1f} CPU s {cost.idle_s:7.1f} idle s {cost.wall_s:7.1f} s  {tests}{end}",
                flush=True,
            )


if __name__ == "__main__":
    main()
