"""How far to trust "did learning pay": `staragents diagnose`'s estimates in planted worlds of known truth.

    python benchmarks/worth.py [--runs 60] [--seeds 300]

Six pairs, two draws a seed, one or three kinds of instructions. `holds` is the share of runs whose 95 %
interval holds the truth: for uniform draws, for the fixed choice made on the first half, and for the choice
by kind. `learnt` is the share in which learning is said to have paid, `false` the share in which the gain of
choosing by kind is overstated (2.5 % would be nominal).
"""

from __future__ import annotations

import click
import numpy as np
from numpy.typing import NDArray

from staragents.analysis.worth import Drawn, worth_of
from staragents.base.estimate import Estimate
from staragents.config import EvolutionConfig, PolicyName
from staragents.evolution.choice import make_policy
from staragents.evolution.policy import NO_CONTEXT, Outcome

PAIRS = [f"{name}+x" for name in "abcdef"]


def planted(kinds: int) -> NDArray[np.float64]:
    """Mean rewards, shape (kinds, pairs); with several kinds, each has a pair of its own that is best
    there."""
    means = np.tile(np.linspace(0.3, 0.5, len(PAIRS)), (kinds, 1))
    if kinds > 1:
        means[np.arange(kinds), 2 * np.arange(kinds) % len(PAIRS)] += 0.25
    return means


def run(means: NDArray[np.float64], policy: PolicyName, seeds: int, number: int) -> list[Drawn]:
    rng = np.random.default_rng(number)
    drawing = make_policy(EvolutionConfig(policy=policy), PAIRS, seeds)
    found = []
    for _ in range(seeds):
        kind, chance = int(rng.integers(len(means))), int(rng.integers(2**31))
        inclusion = drawing.inclusion(2, chance, NO_CONTEXT)
        outcomes = []
        for one in drawing.draw(2, chance, NO_CONTEXT):
            reward = float(np.clip(means[kind, PAIRS.index(one.pair)] + rng.normal(0, 0.2), 0, 1))
            outcomes.append(Outcome(one.pair, reward, False, one.propensity))
        drawing.observe(outcomes, NO_CONTEXT)
        rewards = {PAIRS.index(one.pair): one.reward for one in outcomes}
        found.append(Drawn(kind, [inclusion[pair] for pair in PAIRS], rewards))
    return found


def measured(means: NDArray[np.float64], drawn: list[Drawn]) -> dict[str, float]:
    """1 where it holds, is told or is false; NaN where no estimate was made."""
    found = worth_of(drawn, PAIRS, [f"kind {kind}" for kind in range(len(means))], 2)
    assert found is not None
    kinds = np.array([seed.kind for seed in drawn])
    late = kinds[len(kinds) // 2 :]
    result = {
        "uniform holds": _holds(found.uniform, means[kinds].mean()),
        "learnt": float(found.learning.low > 0),
    }
    if found.fixed is None or found.by_kind is None or found.kinds_beyond_fixed is None:
        return result | dict.fromkeys(("fixed holds", "by kind told", "by kind false"), np.nan)
    fixed = [PAIRS.index(pair) for pair in found.fixed_pairs]
    best_gain = np.sort(means, axis=1)[:, -2:].mean(axis=1) - means[:, fixed].mean(axis=1)
    return result | {
        "fixed holds": _holds(found.fixed, means[late][:, fixed].mean()),
        "by kind told": float(found.kinds_beyond_fixed.low > 0),
        # No choice by kind can gain more than the best one.
        "by kind false": float(found.kinds_beyond_fixed.low > best_gain[late].mean()),
    }


def _holds(estimate: Estimate, truth: float) -> float:
    return float(estimate.low <= truth <= estimate.high)


@click.command()
@click.option("--runs", default=60, show_default=True)
@click.option("--seeds", default=300, show_default=True)
def main(runs: int, seeds: int) -> None:
    for kinds in (1, 3):
        for policy in (PolicyName.uniform, PolicyName.thompson):
            means = planted(kinds)
            rows = [measured(means, run(means, policy, seeds, number)) for number in range(runs)]
            shown = ", ".join(f"{name} {np.nanmean([row[name] for row in rows]):.2f}" for name in rows[0])
            unknown = np.mean([np.isnan(row["fixed holds"]) for row in rows])
            click.echo(f"{policy.value}, kinds {kinds}: {shown}, fixed unknown {unknown:.2f}")


if __name__ == "__main__":
    main()
