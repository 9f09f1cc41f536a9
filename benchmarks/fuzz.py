"""Fuzz all readers, templates, parsers of model output and the config loader; inputs/s and slowest input.

    python benchmarks/fuzz.py --inputs 100000
    python benchmarks/fuzz.py --inputs 5000 --only files --seed 7

No baseline: the criteria are that only BadInput is raised and that no input takes long (CPU time). A failure
is shown as the smallest input that hypothesis finds, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.fuzz_targets import TARGETS

LONGEST_S = 10.0
WEIGHTS = {"configs": 0.2, "paths": 0.5}
"""Fewer inputs for the targets with the highest cost per finding."""


def fuzz(name: str, inputs: int, number: int) -> bool:
    check, strategies = TARGETS[name]
    slowest = done = 0.0

    def timed(values: Any) -> None:
        nonlocal slowest, done
        start = time.process_time()
        check(*values)
        slowest = max(slowest, took := time.process_time() - start)
        done += 1
        assert took < LONGEST_S, f"took {took:.1f} s"

    run = settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )(seed(number)(given(st.tuples(*strategies))(timed)))
    start = time.perf_counter()
    try:
        run()
    except Exception:
        print(f"{name:15} FAILED after {done:.0f} inputs")
        traceback.print_exc()
        return False
    rate = done / (time.perf_counter() - start)
    print(f"{name:15} {done:8.0f} inputs, {rate:6.0f}/s, slowest {slowest:.2f} s", flush=True)
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="total over all targets")
    parser.add_argument("--only", choices=list(TARGETS), action="append")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    names = arguments.only or list(TARGETS)
    share = arguments.inputs / sum(WEIGHTS.get(name, 1.0) for name in names)
    good = [fuzz(name, round(share * WEIGHTS.get(name, 1.0)), arguments.seed) for name in names]
    sys.exit(0 if all(good) else 1)
