"""Policies and histories of rewards for tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from staragents.config import Credit, EvolutionConfig, PolicyName
from staragents.config.evolution import WINNER_POLICIES
from staragents.evolution.choice import make_policy
from staragents.evolution.policy import NO_CONTEXT, Outcome, Policy, RecalledOutcomes

NAMES = list(PolicyName)
LEARNING = [PolicyName.thompson, PolicyName.ucb, PolicyName.additive]
"""Those that learn what recalled outcomes say of a pair."""


def fresh(name: PolicyName, pairs: list[str], total: int = 50, **more) -> Policy:
    """The other policies take no `credit`."""
    if name not in WINNER_POLICIES:
        more.pop("credit", None)
    return make_policy(EvolutionConfig(policy=name, **more), pairs, total)


def pairs_of(number: int) -> list[str]:
    return [f"i{index}+r" for index in range(number)]


# Rewards in quarters add up exactly, in any order.
quarters = st.integers(0, 4).map(lambda number: number / 4)


@st.composite
def histories(draw, pairs: int = 5):
    """Outcomes of a few seeds over `pairs_of(pairs)`, with at most one winner each."""
    seeds = []
    for _ in range(draw(st.integers(0, 12))):
        called = draw(st.lists(st.sampled_from(pairs_of(pairs)), unique=True, min_size=1, max_size=3))
        winner = draw(st.sampled_from([None, *called]))
        seeds.append([Outcome(pair, draw(quarters), pair == winner) for pair in called])
    return seeds


def recalled(*outcomes: tuple[str, float, float]) -> RecalledOutcomes:
    """From (pair, reward, similarity), each of a seed of its own, which it won."""
    pairs, rewards, similarities = zip(*outcomes, strict=True) if outcomes else ((), (), ())
    seeds = tuple(f"s{number}" for number in range(len(pairs)))
    won = np.ones(len(pairs), dtype=np.bool_)
    return RecalledOutcomes(seeds, pairs, np.array(rewards, float), np.array(similarities, float), won)


def neighbours_of(*pairs: str) -> RecalledOutcomes:
    return recalled(*((pair, 0.5, 0.8) for pair in pairs))


def seed_of(name: str, similarity: float, rewards: dict[str, float]) -> RecalledOutcomes:
    """The pair with the largest reward won."""
    size, values = len(rewards), np.array([*rewards.values()])
    won = np.arange(size) == values.argmax()
    return RecalledOutcomes((name,) * size, tuple(rewards), values, np.full(size, similarity), won)


def joined(*parts: RecalledOutcomes) -> RecalledOutcomes:
    return RecalledOutcomes(
        tuple(seed for part in parts for seed in part.seed_ids),
        tuple(pair for part in parts for pair in part.pairs),
        np.concatenate([part.rewards for part in parts]),
        np.concatenate([part.similarities for part in parts]),
        np.concatenate([part.won for part in parts]),
    )


def kinds_run(policy: Policy, useful: bool, seeds: int = 300, world: int = 1) -> float:
    """Mean reward where a suits even and b odd seeds; recalled is that kind or a random one."""
    rng = np.random.default_rng(world)
    past: list[list[RecalledOutcomes]] = [[], []]
    total = 0.0
    for number in range(seeds):
        kind = number % 2 if useful else int(rng.integers(2))
        context = policy.context(joined(*past[kind][-20:])) if past[kind] else NO_CONTEXT
        hard = float(rng.uniform(-0.1, 0.1))
        outcomes = []
        for one in policy.draw(2, number, context):
            mean = {"a": 0.7, "b": 0.3, "c": 0.45, "d": 0.3}[one.pair]
            mean = 1.0 - mean if one.pair in "ab" and number % 2 else mean
            reward = mean + hard + float(rng.uniform(-0.1, 0.1))
            outcomes.append(Outcome(one.pair, reward, False, one.propensity))
            total += reward / 2
        policy.observe(outcomes, context)
        past[number % 2].append(seed_of(f"s{number}", 0.5, {one.pair: one.reward for one in outcomes}))
    return total / seeds


recollections = st.lists(
    st.tuples(st.sampled_from([*pairs_of(5), "of+another-run"]), quarters, st.floats(-0.2, 1)), max_size=8
).map(lambda outcomes: recalled(*outcomes))
settings_of_policies = st.fixed_dictionaries(
    {
        "floor": st.sampled_from([0.0, 0.05, 1.0]),
        "credit": st.sampled_from(Credit),
        "rate": st.sampled_from([7.0, 100_000.0]),
        "recalled_draws": st.sampled_from([None, 0, 1, 9]),
    }
)
