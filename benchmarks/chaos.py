"""Disturb real runs at random times: is anything lost or duplicated, and how long does recovery take?

    python benchmarks/chaos.py --kills 1000 --seed 0 --keep runs/chaos

Runs fake engines on its own cluster with a head and worker nodes, one run after the other until all kills
are done. Baseline: the same config undisturbed. Victims are replicas, scorers, seed workers, the memory actor
with its embedder, the coordinator, a node's raylet (another node replaces it) and the driver (the same
command resumes). Their kills overlap, and some are simultaneous. Other disturbances come one at a time: a
second command on the same run directory, missing and damaged files, a disk that is full or fails, a clock
that jumps back, a partition of two nodes. Kinds that this machine does not support are skipped, with the
reason. Plan and progress are saved in the folder of --keep; run the same command to resume. Exit code 1 if
candidates or dataset of a run differ from the undisturbed run's, or if a run ended by itself, stalled, or did
not print what it must.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

from faults import clock, partition
from faults.disk import SmallDisk
from faults.outcome import outcome, table
from faults.plan import WEIGHTS, planned
from faults.processes import MARK, end, marked
from faults.progress import Progress

from staragents.base.environment import cache_dir

DISK_KINDS = ("disk-full", "inodes-full", "read-only")


def own_session(folder: Path) -> Path:
    """Give this process and its children a private Ray: own folder and token, only loopback. Ends processes
    left behind by an earlier, killed benchmark with the same folder."""
    os.environ[MARK] = str(folder)
    end(marked())
    # Short: a socket path may have 107 characters, and Ray makes long ones.
    session = Path("/tmp", f"sa-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}")
    shutil.rmtree(session, ignore_errors=True)
    session.mkdir(mode=0o700)
    (session / "token").write_text(uuid.uuid4().hex)
    os.environ |= {
        "RAY_TMPDIR": str(session),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(session / "token"),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_process_group_cleanup_enabled": "1",
        # A killed node is declared dead after about 5 s.
        "RAY_health_check_period_ms": "1000",
    }
    # Recovery is mostly importing Ray and Serve, which is twice as slow if compiled each time.
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        os.environ["PYTHONPYCACHEPREFIX"] = str(cache_dir() / "pycache")
    return session


def progress_in(folder: Path, arguments: argparse.Namespace, disk: SmallDisk) -> Progress:
    """Saved progress of the same command, or a new plan of the kinds that this machine supports."""
    names = ("kills", "seed", "pause_s", "open", "only", "seeds", "latency_s", "nodes")
    settings = {name: getattr(arguments, name) for name in names}
    kinds = arguments.only or list(WEIGHTS)
    # Attached only if needed: it stays mounted when the benchmark is killed.
    no_disk = disk.attach() if set(DISK_KINDS) & set(kinds) else ""
    if (found := Progress.load(folder)) is not None:
        if found.settings != settings:
            sys.exit(f"{folder} holds the progress of another command: {found.settings}")
        return found
    reasons = dict.fromkeys(DISK_KINDS, no_disk)
    reasons |= {"clock-back": clock.unusable(), "partition": partition.unusable()}
    skipped = {kind: reasons[kind] for kind in kinds if reasons.get(kind)}
    kinds = [kind for kind in kinds if kind not in skipped]
    if not kinds:
        sys.exit("\n".join(f"skipped: {kind}: {reason}" for kind, reason in skipped.items()))
    plan = planned(arguments.kills, arguments.seed, arguments.pause_s, arguments.open, kinds)
    return Progress(folder, settings, plan, skipped=skipped)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200, help="number of disturbances of all kinds")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the plan and its victims")
    parser.add_argument("--only", action="append", choices=list(WEIGHTS), help="this kind; may be repeated")
    parser.add_argument("--pause-s", type=float, default=0.5, help="mean pause before a kill")
    parser.add_argument(
        "--open", type=int, default=5, help="most kills that a run has to recover from at the same time"
    )
    parser.add_argument("--seeds", type=int, default=300, help="seeds per run")
    parser.add_argument("--latency-s", type=float, default=0.5, help="mean duration of a fake generation")
    parser.add_argument("--nodes", type=int, default=2, help="worker nodes in addition to the head")
    parser.add_argument(
        "--undisturbed", type=Path, help="a finished run of the same config; default: run one"
    )
    parser.add_argument("--keep", type=Path, help="folder for runs, logs and progress; default: delete them")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> int:
    arguments = parsed()
    folder = (arguments.keep or Path(tempfile.mkdtemp(prefix="chaos-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    session = own_session(folder)
    # Imported here, because Ray reads its environment at import.
    from faults.campaign import Campaign, say
    from faults.cluster import ChaosCluster
    from faults.job import settings
    from faults.scene import ShortRuns, undisturbed
    from pipeline import many_seeds

    disk = SmallDisk(folder / "disk.img", folder / "disk")
    try:
        progress = progress_in(folder, arguments, disk)
        for kind, reason in progress.skipped.items():
            say(f"skipped: {kind}: {reason}")
        overrides = settings(many_seeds(folder, arguments.seeds), arguments.latency_s)
        with ChaosCluster(arguments.nodes) as cluster:
            baseline = arguments.undisturbed or undisturbed(
                folder / "undisturbed", overrides, cluster.address
            )
            progress.save()
            short = ShortRuns(folder, overrides, cluster.address)
            campaign = Campaign(
                progress, cluster, disk, short, overrides, arguments.seeds, baseline, arguments.open
            )
            campaign.carry_out()
            progress.save()
        result = outcome(progress)
    finally:
        disk.detach()
        shutil.rmtree(session, ignore_errors=True)
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result, indent=1) if arguments.json else table(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
