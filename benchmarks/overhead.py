"""What metrics and snapshots cost: candidates per second through Ray with and without them, in turns.

    python benchmarks/overhead.py [--seeds 600] [--rounds 3]

Baseline: `run.metrics=false`, and no snapshot but every 512 rows. Against it: metrics, and a snapshot every
`run.checkpoint_s` seconds as by default.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from pipeline import ROOT, many_seeds, through_ray

from staragents.config.loading import load_config

VARIANTS = {
    "neither": ("run.metrics=false", "run.checkpoint_s=86400"),
    "metrics": ("run.checkpoint_s=86400",),
    "both": (),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rates: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        seeds = many_seeds(Path(folder), arguments.seeds)
        for turn in range(arguments.rounds):
            for variant, settings in VARIANTS.items():
                config = load_config(
                    str(ROOT / "configs/fake.yaml"),
                    [
                        f"output.dir={folder}/run-{turn}-{variant}", f"seeds.path={seeds}",
                        "seeds.limit=null", "run.admitted_seeds=48", "models.writer.max_replicas=1",
                        *settings,
                    ],
                )  # fmt: skip
                rates[variant].append(through_ray(config)[0])
                print(f"{variant:8}: {rates[variant][-1]:6.0f} candidates/s", flush=True)
    bare = statistics.median(rates["neither"])
    for variant in ("metrics", "both"):
        share = statistics.median(rates[variant]) / bare
        print(f"with {variant}, of the rate with neither (medians): {share:.3f}")


if __name__ == "__main__":
    main()
