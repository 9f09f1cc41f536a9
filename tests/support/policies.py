"""Policies and histories of rewards for tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from staragents.config import Credit, EvolutionConfig, PolicyName
from staragents.config.evolution import WINNER_POLICIES
from staragents.evolution.choice import make_policy
from staragents.evolution.policy import Outcome, Policy, RecalledOutcomes

NAMES = list(PolicyName)


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
    """From (pair, reward, similarity), each of a seed of its own."""
    pairs, rewards, similarities = zip(*outcomes, strict=True) if outcomes else ((), (), ())
    seeds = tuple(f"s{number}" for number in range(len(pairs)))
    return RecalledOutcomes(seeds, pairs, np.array(rewards, float), np.array(similarities, float))


def neighbours_of(*pairs: str) -> RecalledOutcomes:
    return recalled(*((pair, 0.5, 0.8) for pair in pairs))


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
