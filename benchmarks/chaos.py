"""Kill parts of real runs at random moments: is anything lost, or there twice, and how long do they stand?

    python benchmarks/chaos.py --kills 200 --seed 0

Runs on fake engines, on a cluster of its own with a head and worker nodes, one after the other until all
kills are done. Baseline: the same config undisturbed. Victims are replicas, scorers, seed workers, the memory
actor with its embedder, the coordinator, a node's raylet (another node takes its place) and the driver (the
same command resumes). Kills come at random moments after the recovery of the one before, some (--overlap)
without waiting for it. Exit code 1 if candidates or dataset of a run differ from the undisturbed one's, or a
run ended by itself or stood still.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaos_job import ChaosJob, damage, settings

if TYPE_CHECKING:
    from chaos_cluster import ChaosCluster

VICTIMS = ("replica", "scorer", "worker", "memory", "coordinator", "raylet", "driver")
POLL_S = 0.1
STANDSTILL_S = 180.0
WRONG_ENDS = 3
"""So many ends of runs that should have gone on, and it is enough."""


@dataclass
class Kill:
    """`pause_s` after the recovery of the one before (after that kill, if it overlaps), as soon as there is
    such a victim."""

    victim: str
    pause_s: float
    overlaps: bool
    who: str = ""
    job: int = 0
    seed: int = 0
    at: float = 0.0
    recovery_s: float | None = None


def planned(kills: int, seed: int, pause_s: float, overlap: float) -> list[Kill]:
    """Every kind as often as the others, in random order, after exponential pauses of that mean."""
    dice = random.Random(seed)
    kinds = [VICTIMS[number % len(VICTIMS)] for number in range(kills)]
    dice.shuffle(kinds)
    return [Kill(kind, round(dice.expovariate(1 / pause_s), 2), dice.random() < overlap) for kind in kinds]


class Chaos:
    """Carries out a plan on one run after the other."""

    def __init__(self, cluster: ChaosCluster, folder: Path, overrides: Sequence[str], seed: int) -> None:
        self.failures: list[str] = []
        self.jobs: list[ChaosJob] = []
        self._cluster, self._folder, self._overrides = cluster, folder, overrides
        self._dice = random.Random(seed)
        self._open: list[Kill] = []

    def undisturbed(self) -> Path:
        """The baseline: the same run, whose engines answer at once."""
        overrides = [*self._overrides, "models.writer.fake.latency_s=0"]
        job = ChaosJob(self._folder / "undisturbed", overrides, self._cluster.address)
        if job.process.wait(timeout=1800) != 0:
            sys.exit(f"the undisturbed run failed: {job.last_line()}")
        return job.run.path

    def carry_out(self, plan: Sequence[Kill]) -> None:
        """Returns when the last run is finished, or when nothing goes on."""
        todo = list(plan)
        self._begin()
        since = time.monotonic()
        while self._goes_on(bool(todo)):
            time.sleep(POLL_S)
            if not todo:
                continue
            # Two at a time at most: a request has no more than run.attempts tries.
            if self._open and (not todo[0].overlaps or len(self._open) > 1):
                since = time.monotonic()
            elif time.monotonic() - since >= todo[0].pause_s and self._strike(todo[0]):
                todo.pop(0)
                since = time.monotonic()

    @property
    def _job(self) -> ChaosJob:
        return self.jobs[-1]

    def _begin(self) -> None:
        path = self._folder / f"run-{len(self.jobs) + 1}"
        self.jobs.append(ChaosJob(path, self._overrides, self._cluster.address))
        self._starts()

    def _starts(self) -> None:
        self._start = self._cursor = self._job.cursor()
        self._moved = time.monotonic()

    def _strike(self, kill: Kill) -> bool:
        """Whether there was such a victim. Pools that don't come up end the command with the reason, so only
        the driver may be killed before a run's first commit."""
        kill.job, kill.seed, kill.at = len(self.jobs), self._job.cursor(), time.monotonic()
        if kill.victim == "driver":
            kill.who = self._job.restart()
            self._starts()
        elif self._cursor > self._start:
            kill.who = self._cluster.kill(kill.victim, self._dice)
        if kill.who:
            self._open.append(kill)
            say(f"run {kill.job}, seed {kill.seed}: killed {kill.victim} {kill.who}")
        return bool(kill.who)

    def _goes_on(self, more: bool) -> bool:
        now, cursor, code = time.monotonic(), self._job.cursor(), self._job.process.poll()
        if cursor > self._cursor:
            self._cursor, self._moved = cursor, now
        for kill in [kill for kill in self._open if cursor > kill.seed or code == 0]:
            kill.recovery_s = now - kill.at
            self._open.remove(kill)
        if code == 0:
            say(f"run {len(self.jobs)} is finished")
            if more:
                self._begin()
            return more
        if code is not None:
            self._failed(f"ended with exit code {code}: {self._job.last_line()}")
        elif now - self._moved > STANDSTILL_S:
            self._failed(f"stood still for {STANDSTILL_S:g} s")
        else:
            return True
        self._job.restart()
        self._starts()
        return len(self.failures) < WRONG_ENDS

    def _failed(self, what: str) -> None:
        after = ", ".join(kill.victim for kill in self._open) or "none since the last commit"
        self.failures.append(f"run {len(self.jobs)}, seed {self._cursor} (killed: {after}): {what}")
        say(f"FAILED: {self.failures[-1]}")


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def own_session() -> Path:
    """Have this process and its children use a Ray of their own: folder, token, loopback only."""
    # Short: a socket's path may have 107 characters, and Ray makes long ones.
    folder = Path(tempfile.mkdtemp(prefix="sa-", dir="/tmp"))
    (folder / "token").write_text(uuid.uuid4().hex)
    os.environ |= {
        "RAY_TMPDIR": str(folder),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_process_group_cleanup_enabled": "1",
        "STARAGENTS_CHAOS_MARK": folder.name,
    }
    return folder


def results(plan: Sequence[Kill], chaos: Chaos, undisturbed: Path) -> dict[str, Any]:
    """Everything `--json` gives. `ok` only if every kill was done and nothing was lost or changed."""
    damages = [damage(job.run.path, undisturbed) for job in chaos.jobs]
    victims = {}
    for victim in VICTIMS:
        kills = [kill for kill in plan if kill.victim == victim and kill.who]
        times = [kill.recovery_s for kill in kills if kill.recovery_s is not None]
        victims[victim] = {
            "kills": len(kills),
            "recovered": len(times),
            "mean_s": round(sum(times) / len(times), 2) if times else None,
            "max_s": round(max(times), 2) if times else None,
        }
    recovered = all(kill.recovery_s is not None for kill in plan)
    return {
        "ok": recovered and not chaos.failures and not any(any(one.values()) for one in damages),
        "engine": "fake",
        "runs": damages,
        "victims": victims,
        "failures": chaos.failures,
        "kills": [asdict(kill) for kill in plan],
    }


def table(result: dict[str, Any]) -> str:
    lines = ["| victim (fake engines) | kills | recovered | mean | longest |", "|---|---|---|---|---|"]
    for victim, row in result["victims"].items():
        mean, longest = (_seconds(row[key]) for key in ("mean_s", "max_s"))
        lines.append(f"| {victim} | {row['kills']} | {row['recovered']} | {mean} | {longest} |")
    total = {what: sum(run[what] for run in result["runs"]) for what in result["runs"][0]}
    lines.append(
        f"{len(result['runs'])} runs: {total['lost']} seeds lost, {total['twice']} candidates twice, "
        f"{total['changed']} candidates changed, {total['dataset']} datasets changed"
    )
    return "\n".join([*lines, *(f"FAILED: {failure}" for failure in result["failures"])])


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the plan and of whom it hits")
    parser.add_argument("--pause-s", type=float, default=2.0, help="mean pause before a kill")
    parser.add_argument(
        "--overlap", type=float, default=0.25, help="share of kills that don't wait for recovery"
    )
    parser.add_argument("--seeds", type=int, default=300, help="of a run")
    parser.add_argument("--latency-s", type=float, default=1.0, help="mean time of a fake generation")
    parser.add_argument("--nodes", type=int, default=2, help="worker nodes, beside the head")
    parser.add_argument(
        "--undisturbed", type=Path, help="a finished run of the same config; else one is made"
    )
    parser.add_argument("--keep", type=Path, help="folder for runs and logs; else they are deleted")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    plan = planned(arguments.kills, arguments.seed, arguments.pause_s, arguments.overlap)
    say(
        "plan: "
        + ", ".join(f"{'&' if kill.overlaps else ''}+{kill.pause_s:g} s {kill.victim}" for kill in plan)
    )
    folder = (arguments.keep or Path(tempfile.mkdtemp(prefix="chaos-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    session = own_session()
    # They import Ray, which reads its environment then.
    from chaos_cluster import ChaosCluster
    from pipeline import many_seeds

    overrides = settings(many_seeds(folder, arguments.seeds), arguments.latency_s)
    try:
        with ChaosCluster(arguments.nodes) as cluster:
            chaos = Chaos(cluster, folder, overrides, arguments.seed)
            undisturbed = arguments.undisturbed or chaos.undisturbed()
            chaos.carry_out(plan)
        result = results(plan, chaos, undisturbed)
    finally:
        shutil.rmtree(session, ignore_errors=True)
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result, indent=1) if arguments.json else table(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
