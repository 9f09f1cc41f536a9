"""Planted worlds for `benchmarks/policies.py`: pairs or agents that suit kinds of instructions, short runs.

In a world of kinds, the embedding of an instruction is the centre of one of eight kinds plus noise. The
memory is exact: the 150 nearest instructions, as a bank recalls them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from staragents.config import EvolutionConfig, PolicyName
from staragents.evolution.choice import make_policy
from staragents.evolution.policy import NO_CONTEXT, Outcome, Policy, RecalledOutcomes

KINDS, DIMENSIONS, NEIGHBOURS = 8, 32, 150
SHORT_SEEDS, SHORT_PAIRS = 24, 13
Factors = Mapping[str, tuple[str, str]]


class Memory:
    """Outcomes by the vector of their instruction."""

    def __init__(self, seeds: int) -> None:
        self.vectors, self.outcomes = np.zeros((seeds, DIMENSIONS)), list[list[Outcome]]()

    def remember(self, vector: np.ndarray, outcomes: list[Outcome]) -> None:
        self.vectors[len(self.outcomes)] = vector
        self.outcomes.append(outcomes)

    def recall(self, vector: np.ndarray) -> RecalledOutcomes:
        cosines = np.round(self.vectors[: len(self.outcomes)] @ vector, 6)
        nearest = np.argsort(-cosines, kind="stable")[:NEIGHBOURS].tolist()
        found = [(f"s{at}", one, cosines[at]) for at in nearest for one in self.outcomes[at]]
        return RecalledOutcomes(
            tuple(seed for seed, _, _ in found),
            tuple(one.pair for _, one, _ in found),
            np.array([one.reward for _, one, _ in found]),
            np.array([cosine for _, _, cosine in found]),
            np.array([one.winner for _, one, _ in found], dtype=np.bool_),
        )


def kinds_of(world: str, factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """Mean reward of every pair on every kind, shape (kinds, pairs)."""
    pairs = list(factors)
    general = rng.normal(0.4, 0.05, len(pairs))
    if world == "agents suit kinds":
        agents = sorted({agent for both in factors.values() for agent in both})
        effects = {agent: rng.normal(0.0, 0.1, KINDS) for agent in agents}
        suits = np.array([effects[left] + effects[right] for left, right in factors.values()]).T
    else:
        suits = rng.normal(0.0, 0.14, (KINDS, len(pairs))) * (world != "one kind")
    return np.clip(general + suits, 0.03, 0.97)


def kinds_regret(policy: Policy, world: str, factors: Factors, seeds: int, run: int, memory: bool) -> float:
    """Per draw, the best two pairs' mean on the instruction's kind minus that of the two drawn."""
    rng, pairs = np.random.default_rng([run, 11]), list(factors)
    means = kinds_of(world, factors, rng)
    best = np.sort(means, axis=1)[:, -2:].mean(axis=1)
    centres = rng.normal(0.0, 1.0, (KINDS, DIMENSIONS))
    bank, total = Memory(seeds), 0.0
    for seed in range(seeds):
        kind = int(rng.integers(KINDS))
        shown = int(rng.integers(KINDS)) if world == "useless embeddings" else kind
        vector = centres[shown] + rng.normal(0.0, 1.2, DIMENSIONS)
        vector /= np.linalg.norm(vector)
        context = policy.context(bank.recall(vector)) if memory else NO_CONTEXT
        hard = float(rng.normal(0.0, 0.08))
        outcomes = []
        for one in policy.draw(2, run * 1_000_003 + seed, context):
            mean = float(means[kind, pairs.index(one.pair)])
            total += (float(best[kind]) - mean) / 2
            shifted = min(max(mean + hard, 0.02), 0.98)
            reward = float(rng.beta(4 * shifted, 4 * (1 - shifted)))
            outcomes.append(Outcome(one.pair, reward, False, one.propensity))
        policy.observe(outcomes, context)
        bank.remember(vector, outcomes)
    return total / seeds


def kinds_table(factors: Factors, seeds: int, runs: int) -> Iterator[str]:
    names = ["pairs suit kinds", "agents suit kinds", "one kind", "useless embeddings"]
    size = f"{seeds} seeds, 2 draws, {len(factors)} pairs, {KINDS} kinds"
    yield f"\nRegret per draw, {size}, mean of {runs} runs +- 95 %\n"
    yield f"| policy | {' | '.join(names)} |\n|---|{'---|' * len(names)}"
    rows = [(name, True, True) for name in (PolicyName.thompson, PolicyName.ucb, PolicyName.additive)]
    for name, memory, shared in [
        (PolicyName.thompson, False, True),
        (PolicyName.thompson, True, False),
        *rows,
    ]:
        cells = []
        for world in names:
            values = []
            for run in range(runs):
                config = EvolutionConfig(policy=name)
                policy = make_policy(config, list(factors), seeds, factors if shared else None)
                values.append(kinds_regret(policy, world, factors, seeds, run, memory))
            half = 1.96 * float(np.std(values, ddof=1)) / math.sqrt(runs)
            cells.append(f"{np.mean(values):.4f} +- {half:.4f}")
        label = f"{name}{'' if memory else ', memory off'}{'' if shared else ', agents unknown'}"
        yield f"| {label} | {' | '.join(cells)} |"


def short_run(name: PolicyName, best: float, rest: float, run: int) -> tuple[bool, bool]:
    """Of 24 seeds with two draws: whether the most probable pair at the end is the planted one, and whether
    after six seeds another one had a probability above 1/2."""
    rng = np.random.default_rng([run, 5])
    means, planted = np.full(SHORT_PAIRS, rest), int(rng.integers(SHORT_PAIRS))
    means[planted] = best
    pairs = [f"p{index}" for index in range(SHORT_PAIRS)]
    policy = make_policy(EvolutionConfig(policy=name), pairs, SHORT_SEEDS)
    locked = found = False
    for seed in range(SHORT_SEEDS):
        outcomes = []
        for one in policy.draw(2, run * 1_000_003 + seed, NO_CONTEXT):
            mean = means[pairs.index(one.pair)]
            outcomes.append(Outcome(one.pair, float(rng.beta(4 * mean, 4 - 4 * mean)), False, one.propensity))
        policy.observe(outcomes)
        top = max(policy.pair_stats(), key=lambda one: one.probability)
        found = top.pair == pairs[planted]
        if seed == 5:
            locked = top.probability > 0.5 and not found
    return found, locked


def short_table(runs: int) -> Iterator[str]:
    worlds = [(0.7, 0.3), (0.6, 0.25), (0.3, 0.05)]
    size = f"{SHORT_SEEDS} seeds, 2 draws, {SHORT_PAIRS} pairs"
    yield f"\n{size}, {runs} runs: the best pair found / another above 1/2 after 6 seeds\n"
    yield f"| policy | {' | '.join(f'{best} among {rest}' for best, rest in worlds)} |\n|---|---|---|---|"
    for name in (PolicyName.thompson, PolicyName.ucb, PolicyName.additive, PolicyName.exp3):
        cells = []
        for best, rest in worlds:
            found, locked = zip(*(short_run(name, best, rest, run) for run in range(runs)), strict=True)
            cells.append(f"{100 * sum(found) / runs:.0f} % / {100 * sum(locked) / runs:.0f} %")
        yield f"| {name} | {' | '.join(cells)} |"
