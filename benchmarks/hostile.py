"""A run whose server returns mostly malformed answers (oddities): the outcome of each, and of the run.

    python benchmarks/hostile.py --seeds 200

No baseline: the run must finish, every seed must be in the dataset, and every failed candidate must have a
reason in quarantine; otherwise the exit code is 1. Each family of oddities replaces --share of the valid
answers of a fake engine.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))
from actors import generator_client
from tests.support.hostile_run import HostileRun
from tests.support.oddities import ODDITIES


def table(run: HostileRun) -> Table:
    """A row for each oddity that occurred, ordered by family."""
    shown = Table("family", "oddity", "requests", "tries", "used", "most frequent error", box=None)
    for name, oddity in ODDITIES.items():
        if name in run.encounters:
            met = run.encounters[name]
            numbers = (str(met.requests), str(met.tries), str(met.used))
            frequent = [error.replace(run.url, "URL") for error, _ in met.errors.most_common(1)]
            shown.add_row(oddity.family, name, *numbers, *(error[:110] for error in frequent))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--deadline", type=float, default=2.0, help="of a request, in seconds")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    generator_client.backoff = lambda request_id, attempt: 0.0
    with tempfile.TemporaryDirectory() as folder:
        run = HostileRun(Path(folder) / "run", options.seeds, options.share, options.deadline)
        started = time.monotonic()
        summary = asyncio.run(run.run())
        seconds = time.monotonic() - started
    console = Console(width=200, markup=False, highlight=False)
    console.print(table(run))
    met = sum(encounter.used + encounter.errors.total() for encounter in run.encounters.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{options.seeds} seeds in {seconds:.0f} s, {met} oddities of {len(run.encounters)} kinds met")
    print(f"{run.failed} candidates failed, peak memory {peak:.2f} GiB")
    problems = run.problems + ["the run did not finish"] * (not summary["run"]["finished"])
    print("\n".join(["FAIL", *problems]) if problems else "PASS")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
