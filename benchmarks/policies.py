"""Regret of every policy on synthetic bandits, with kinds of instructions and in short runs, its speed, and
the size of its state.

Baselines are the textbook algorithms, see below: UCB1 (Auer et al. 2002), Gaussian Thompson sampling with
prior and noise of standard deviation 1/4, Beta-Thompson sampling with fractional rewards, Exp3 with a known
horizon.

    python benchmarks/policies.py [--seeds 2000] [--runs 10] [--speed]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from policy_worlds import kinds_table, short_table

from staragents.config import EvolutionConfig, PolicyName
from staragents.evolution.choice import make_policy
from staragents.evolution.policy import NO_CONTEXT, Outcome, RecalledOutcomes

SIDE = 6
FACTORS = {f"i{j}+r{k}": (f"i{j}", f"r{k}") for j in range(SIDE) for k in range(SIDE)}
PAIRS = list(FACTORS)
Means = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class World:
    """`means(seed)`: true means of the pairs. Rewards arrive `delay` seeds late."""

    name: str
    means: Means
    delay: int = 0


def worlds(rng: np.random.Generator, seeds: int) -> list[World]:
    flat = rng.permutation(np.linspace(0.1, 0.6, len(PAIRS)))
    left, right = rng.normal(0, 0.1, SIDE), rng.normal(0, 0.1, SIDE)
    factored = np.clip(
        0.4 + left[:, None] + right[None, :] + rng.normal(0, 0.02, (SIDE, SIDE)), 0.02, 0.98
    ).ravel()
    low = rng.permutation(0.15 * np.linspace(0, 1, len(PAIRS)) ** 3 + 0.01)
    phase = rng.uniform(0, 2 * math.pi, len(PAIRS))
    swapped = 0.7 - flat

    def drifting(seed: int) -> np.ndarray:
        return np.clip(flat + 0.25 * np.sin(2 * math.pi * seed / seeds + phase), 0.02, 0.98)

    def adversarial(seed: int) -> np.ndarray:
        return flat if seed < seeds // 2 else swapped

    return [
        World("stationary", lambda _: flat),
        World("low rewards", lambda _: low),
        World("factored", lambda _: factored),
        World("drifting", drifting),
        World("adversarial", adversarial),
        World("delayed 100", lambda _: flat, delay=100),
    ]


class Ucb1:
    def __init__(self, seeds: int) -> None:
        self.n, self.s, self.t = np.zeros(len(PAIRS)), np.zeros(len(PAIRS)), 0

    def draw(self, rng: np.random.Generator) -> int:
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = self.s / self.n + np.sqrt(2 * math.log(max(self.t, 2)) / self.n)
        return int(np.argmax(np.where(self.n == 0, 1e9 + rng.random(len(PAIRS)), bound)))

    def observe(self, index: int, reward: float) -> None:
        self.n[index] += 1
        self.s[index] += reward
        self.t += 1


class GaussianThompson(Ucb1):
    def draw(self, rng: np.random.Generator) -> int:
        variance = 1 / (1 / 0.25**2 + self.n / 0.25**2)
        return int(np.argmax(rng.normal((0.5 / 0.25**2 + self.s / 0.25**2) * variance, np.sqrt(variance))))


class BetaThompson(Ucb1):
    def draw(self, rng: np.random.Generator) -> int:
        return int(np.argmax(rng.beta(1 + self.s, 1 + np.maximum(self.n - self.s, 0))))


class Exp3(Ucb1):
    def __init__(self, seeds: int) -> None:
        super().__init__(seeds)
        k = len(PAIRS)
        self.mix = min(1.0, math.sqrt(k * math.log(k) / ((math.e - 1) * seeds)))
        self.gains, self.drawn = np.zeros(k), deque[tuple[int, float]]()

    def draw(self, rng: np.random.Generator) -> int:
        weights = np.exp(self.mix / len(PAIRS) * (self.gains - self.gains.max()))
        p = (1 - self.mix) * weights / weights.sum() + self.mix / len(PAIRS)
        index = int(rng.choice(len(PAIRS), p=p / p.sum()))
        self.drawn.append((index, float(p[index])))
        return index

    def observe(self, index: int, reward: float) -> None:
        drawn, p = self.drawn.popleft()
        assert drawn == index
        self.gains[index] += reward / p


BASELINES = {"UCB1": Ucb1, "Gaussian Thompson": GaussianThompson, "Beta-Thompson": BetaThompson, "Exp3": Exp3}


def ours(config: EvolutionConfig, seeds: int, factored: bool) -> Callable[[int], tuple[Callable, Callable]]:
    def make(run: int) -> tuple[Callable, Callable]:
        policy = make_policy(config, PAIRS, seeds, FACTORS if factored else None)
        propensities = deque[float]()

        def draw(seed: int) -> int:
            (one,) = policy.draw(1, run * 1_000_003 + seed, NO_CONTEXT)
            propensities.append(one.propensity)
            return PAIRS.index(one.pair)

        def observe(index: int, reward: float) -> None:
            policy.observe([Outcome(PAIRS[index], reward, True, propensities.popleft())])

        return draw, observe

    return make


def theirs(kind: type[Ucb1], seeds: int) -> Callable[[int], tuple[Callable, Callable]]:
    def make(run: int) -> tuple[Callable, Callable]:
        policy, rng = kind(seeds), np.random.default_rng([run, 7])
        return (lambda seed: policy.draw(rng)), policy.observe

    return make


def regret(world: World, draw: Callable, observe: Callable, seeds: int, rng: np.random.Generator) -> float:
    """Sum over seeds of the best pair's mean minus the drawn pair's; one draw per seed."""
    waiting: deque[tuple[int, float]] = deque()
    total = 0.0
    for seed in range(seeds):
        means = world.means(seed)
        index = draw(seed)
        total += float(means.max() - means[index])
        # Beta noise of 4 observations: a reward in [0, 1] whose variance is m (1 - m) / 5.
        waiting.append((index, float(rng.beta(4 * means[index], 4 * (1 - means[index])))))
        if len(waiting) > world.delay:
            observe(*waiting.popleft())
    return total


def table(seeds: int, runs: int) -> None:
    rows: dict[str, Callable[[int], tuple[Callable, Callable]]] = {
        name: theirs(kind, seeds) for name, kind in BASELINES.items()
    }
    for name in PolicyName:
        rows[f"{name}"] = ours(EvolutionConfig(policy=name), seeds, factored=True)
    rows["thompson, no factors"] = ours(EvolutionConfig(), seeds, factored=False)
    rows["thompson, discount 0.995"] = ours(EvolutionConfig(discount=0.995), seeds, factored=True)
    names = [world.name for world in worlds(np.random.default_rng(0), seeds)]
    print(f"Regret after {seeds} draws, {len(PAIRS)} pairs, mean of {runs} runs +- 95 %\n")
    print(f"| policy | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for name, make in rows.items():
        cells = []
        for index in range(len(names)):
            values = []
            for run in range(runs):
                world = worlds(np.random.default_rng(run), seeds)[index]
                draw, observe = make(run)
                values.append(regret(world, draw, observe, seeds, np.random.default_rng([run, index])))
            half = 1.96 * float(np.std(values, ddof=1)) / math.sqrt(runs)
            cells.append(f"{np.mean(values):.0f} +- {half:.0f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def speed(policies: Sequence[PolicyName] = tuple(PolicyName)) -> None:
    """Draws with observation per second on one core, and the state size for 50 x 50 pairs."""
    rng = np.random.default_rng(0)
    count, draws = 20_000, 2
    rewards = rng.random((count, draws)).tolist()
    print(f"\nOne core of {os.cpu_count()}: {draws} draws with observation, {len(PAIRS)} pairs\n")
    print("| policy | seeds/s | state of 50 x 50 pairs |\n|---|---|---|")
    many = {f"i{j}+r{k}": (f"i{j}", f"r{k}") for j in range(50) for k in range(50)}
    for name in policies:
        policy = make_policy(EvolutionConfig(policy=name), PAIRS, count, FACTORS)
        started = time.process_time()
        for seed, row in enumerate(rewards):
            drawn = policy.draw(draws, seed, NO_CONTEXT)
            policy.observe(
                [Outcome(o.pair, r, r == max(row), o.propensity) for o, r in zip(drawn, row, strict=True)]
            )
        rate = count / (time.process_time() - started)
        large = make_policy(EvolutionConfig(policy=name), list(many), 100_000, many)
        for pair in many:
            large.observe([Outcome(pair, float(rng.random()), True)])
        print(f"| {name} | {rate:,.0f} | {len(json.dumps(large.state())) / 1e6:.2f} MB |", flush=True)


def speed_with_context(count: int = 2000) -> None:
    """Context, draw and observation a second, with 300 outcomes of 150 seeds recalled for each."""
    rng = np.random.default_rng(0)
    seeds = tuple(f"s{index // 2}" for index in range(300))
    recalled = []
    for _ in range(50):
        pairs = tuple(PAIRS[index] for index in rng.integers(len(PAIRS), size=300))
        cosines = np.round(np.repeat(np.sort(rng.random(150))[::-1], 2), 6)
        recalled.append(RecalledOutcomes(seeds, pairs, rng.random(300), cosines, np.tile([True, False], 150)))
    print(f"\nWith 300 recalled outcomes, {len(PAIRS)} pairs\n\n| policy | seeds/s |\n|---|---|")
    for name in (PolicyName.thompson, PolicyName.ucb, PolicyName.additive):
        policy = make_policy(EvolutionConfig(policy=name), PAIRS, count, FACTORS)
        started = time.process_time()
        for seed in range(count):
            context = policy.context(recalled[seed % len(recalled)])
            drawn = policy.draw(2, seed, context)
            # Rewards that follow the readings, so that the slope is not 0 and every draw is computed anew.
            rewards = [0.5 + context.readings.get(one.pair, 0.0) for one in drawn]
            policy.observe(
                [Outcome(o.pair, r, False, o.propensity) for o, r in zip(drawn, rewards, strict=True)],
                context,
            )
        print(f"| {name} | {count / (time.process_time() - started):,.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--speed", action="store_true", help="only speed and size")
    arguments = parser.parse_args()
    if not arguments.speed:
        table(arguments.seeds, arguments.runs)
        pairs = {f"i{j}+r{k}": (f"i{j}", f"r{k}") for j in range(5) for k in range(6)}
        for line in (*kinds_table(pairs, arguments.seeds // 2, arguments.runs), *short_table(200)):
            print(line, flush=True)
    speed()
    speed_with_context()


if __name__ == "__main__":
    main()
