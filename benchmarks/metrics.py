"""What metrics cost: candidates per second through the whole Ray path with and without them, run in turns.

python benchmarks/metrics.py [--seeds 600] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from pipeline import ROOT, many_seeds, through_ray

from staragents.config_loading import load_config


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rates: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder:
        seeds = many_seeds(Path(folder), arguments.seeds)
        for turn in range(arguments.rounds):
            for metrics in (False, True):
                config = load_config(
                    str(ROOT / "configs/fake.yaml"),
                    [
                        f"output.dir={folder}/run-{turn}-{metrics}",
                        f"seeds.path={seeds}",
                        "seeds.limit=null",
                        "run.admitted_seeds=48",
                        "models.writer.max_replicas=1",
                        f"run.metrics={str(metrics).lower()}",
                    ],
                )
                rates[metrics].append(through_ray(config)[0])
                print(f"metrics {metrics!s:<5}: {rates[metrics][-1]:6.0f} candidates/s", flush=True)
    ratio = statistics.median(rates[True]) / statistics.median(rates[False])
    print(f"with metrics, of the rate without (medians): {ratio:.3f}")


if __name__ == "__main__":
    main()
