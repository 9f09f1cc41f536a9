"""Overhead of metrics and checkpoints: alternating runs with and without them, on fake engines through Ray.

    python benchmarks/overhead.py [--seeds 600] [--rounds 3]

Baseline: `run.metrics=false`, and a checkpoint only every 512 rows. Compared with it: metrics, and a
checkpoint every `run.checkpoint_s` seconds as by default. The CPU time of the coordinator's process, which
limits one coordinator, is more reliable than candidates per second if other programs share the cores.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from coordinator_cpu import CoordinatorCpu
from pipeline import many_seeds, through_ray_config

from cluster.driver.optimise import optimise

VARIANTS = {
    "neither": ("run.metrics=false", "run.checkpoint_s=86400"),
    "metrics": ("run.checkpoint_s=86400",),
    "both": ("run.checkpoint_s=5",),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rates: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    costs: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        seeds = many_seeds(Path(folder), arguments.seeds)
        for number in range(arguments.rounds):
            for variant, settings in VARIANTS.items():
                config = through_ray_config(f"{folder}/run-{number}-{variant}", seeds, *settings)
                used = CoordinatorCpu()
                summary = optimise(config, used).summary
                rates[variant].append(summary["funnel"]["drawn"] / summary["run"]["loop_seconds"])
                costs[variant].append(1e3 * used.seconds_each)
                rate, cost = rates[variant][-1], costs[variant][-1]
                print(f"{variant:8}: {rate:6.0f} candidates/s, {cost:.2f} ms of CPU each", flush=True)
    rate, cost = statistics.median(rates["neither"]), statistics.median(costs["neither"])
    for variant in ("metrics", "both"):
        rate_share = statistics.median(rates[variant]) / rate
        cost_share = statistics.median(costs[variant]) / cost
        print(f"with {variant}, medians: {rate_share:.3f} of the rate, {cost_share:.3f} of the CPU time")


if __name__ == "__main__":
    main()
