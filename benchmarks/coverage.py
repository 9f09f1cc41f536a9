"""How far to trust the intervals of `staragents evaluate`: simulated arms whose differences are known.

    python benchmarks/coverage.py [--repeats 400]

Every arm is equal to the reference. Differences vary between conversations (standard deviation 0.05 nats a
token), between training seeds (`seeds`) and in both (0.02). `joint` is the share of repeats in which the
intervals of all arms hold 0, nominally .95; `half` is the mean half width. `resampled` is the joint share of
the plain alternative, percentiles of means over resampled conversations and training seeds, with
Bonferroni's correction.
"""

from __future__ import annotations

import itertools

import click
import numpy as np
from numpy.typing import NDArray

from staragents.evaluation.bootstrap import LEVEL, RESAMPLES, difference_intervals

Floats = NDArray[np.float64]

CONVERSATION_SD, BOTH_SD = 0.05, 0.02
WORLDS = list(itertools.product((2, 3, 5), (50, 200), (1, 5), (0.005, 0.02)))
"""Training seeds, conversations, arms, standard deviation between training seeds."""


def differences(rng: np.random.Generator, seeds: int, conversations: int, arms: int, sd: float) -> Floats:
    """Of equal arms from one reference, shape (arms, training seeds, conversations)."""
    share = 2**-0.5
    values = (
        rng.normal(0, share * CONVERSATION_SD, (arms + 1, 1, conversations))
        + rng.normal(0, share * sd, (arms + 1, seeds, 1))
        + rng.normal(0, share * BOTH_SD, (arms + 1, seeds, conversations))
    )
    return values[1:] - values[:1]


def resampled_hold(rng: np.random.Generator, values: Floats) -> bool:
    """Whether the percentiles of means over resampled training seeds and conversations enclose 0."""
    arms, seeds, conversations = values.shape
    means = np.empty((RESAMPLES // 4, arms))
    for number in range(len(means)):
        of_seeds = values[:, rng.integers(seeds, size=seeds)].mean(axis=1)
        means[number] = of_seeds[:, rng.integers(conversations, size=conversations)].mean(axis=1)
    tail = (1 - LEVEL) / 2 / arms
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return bool(((low <= 0) & (high >= 0)).all())


@click.command()
@click.option("--repeats", default=400, show_default=True, type=click.IntRange(1))
def main(repeats: int) -> None:
    print("training seeds  conversations  arms  sd seeds  joint  half    resampled")
    for seeds, conversations, arms, sd in WORLDS:
        rng = np.random.default_rng(0)
        hold, plain, widths = 0, 0, []
        for _ in range(repeats):
            values = differences(rng, seeds, conversations, arms, sd)
            found = [one for one in difference_intervals(values) if one is not None]
            hold += not any(one.told for one in found)
            widths += [(one.high - one.low) / 2 for one in found]
            plain += resampled_hold(rng, values)
        print(
            f"{seeds:14}  {conversations:13}  {arms:4}  {sd:8.3f}  {hold / repeats:5.3f}  "
            f"{np.mean(widths):.4f}  {plain / repeats:9.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
