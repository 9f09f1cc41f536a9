"""What a policy learns when rewards are weighted by cost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.base.messages import Message
from staragents.base.records import Candidate, stable_id
from staragents.config import AgentsConfig, Composite, Config, Cost, EvolutionConfig, PolicyName, RewardConfig
from staragents.evolution.evolution import Evolution
from staragents.reward.cost import CostScale

PAIRS = ["cheap+x", "dear+x"]


def scale(kind: Cost, *costs: int) -> CostScale:
    made = CostScale(kind)
    for cost in costs:
        made.add(cost, cost / 100)
    return made


def config(cost: Cost, composite: Composite = Composite.judge_only) -> Config:
    return Config(
        agents=AgentsConfig(pairs=PAIRS),
        evolution=EvolutionConfig(policy=PolicyName.thompson, draws=1),
        reward=RewardConfig(cost=cost, composite=composite, require_win=False),
    )


def candidate(pair: str, seed: str, win: float, tokens: int) -> Candidate:
    return Candidate(
        seed_id=seed,
        candidate_id=stable_id(seed, pair),
        pair=pair,
        instruction_agent=pair,
        response_agent="x",
        propensity=0.5,
        seed_messages=(),
        messages=(Message("user", "q"), Message("assistant", "r")),
        judge_win=win,
        tokens_in=tokens // 2,
        tokens_out=tokens - tokens // 2,
        seconds=tokens / 50,
    )


@given(st.floats(0, 1), st.lists(st.integers(0, 10**6), min_size=1), st.integers(0, 10**6))
def test_values_stay_between_zero_and_the_reward(reward: float, costs: list[int], cost: int) -> None:
    for kind in (Cost.tokens, Cost.seconds):
        assert 0.0 <= scale(kind, *costs).value(reward, cost, cost / 100) <= reward


def test_a_mean_cost_halves_the_reward_and_the_same_ratio_gives_the_same_value() -> None:
    by_tokens = scale(Cost.tokens, 100, 300)
    assert by_tokens.value(0.8, 200, 0.0) == pytest.approx(0.4)
    assert by_tokens.value(0.8, 600, 0.0) == pytest.approx(0.2)  # 0.8 x 200 / (600 + 200)
    assert scale(Cost.seconds, 100, 300).value(0.8, 0, 2.0) == pytest.approx(0.4)
    assert scale(Cost.none, 100).value(0.8, 10**6, 10**6) == 0.8


def test_without_any_cost_all_are_treated_equally() -> None:
    assert scale(Cost.tokens, 0, 0).value(0.8, 0, 0.0) == pytest.approx(0.4)


def learnt(cost: Cost) -> dict[str, float]:
    """Standings after 40 seeds on which the expensive pair earns a little more at ten times the tokens."""
    evolution = Evolution(config(cost), PAIRS, 40)
    for number in range(40):
        evolution.commit(
            [candidate("cheap+x", f"s{number}", 0.60, 100), candidate("dear+x", f"s{number}", 0.62, 1000)]
        )
        evolution = restored(evolution, cost)
    return {standing.pair: standing.mean_reward for standing in evolution.pair_stats()}


def restored(evolution: Evolution, cost: Cost) -> Evolution:
    again = Evolution(config(cost), PAIRS, 40)
    again.restore(json.loads(json.dumps(evolution.state())))
    return again


def test_the_policy_learns_that_a_little_more_reward_is_not_worth_ten_times_the_tokens() -> None:
    plain, by_tokens, by_seconds = learnt(Cost.none), learnt(Cost.tokens), learnt(Cost.seconds)
    assert plain["dear+x"] > plain["cheap+x"]
    assert by_tokens["dear+x"] < by_tokens["cheap+x"] / 2
    assert by_seconds == pytest.approx(by_tokens)


def test_the_chosen_candidate_and_its_reward_stay_the_same() -> None:
    for cost in Cost:
        candidates = [candidate("cheap+x", "s", 0.60, 100), candidate("dear+x", "s", 0.62, 1000)]
        chosen = Evolution(config(cost), PAIRS, 40).commit(candidates).chosen
        assert chosen is candidates[1]
        assert chosen.reward == pytest.approx(0.62)


def test_a_random_pick_ignores_win_and_order_and_repeats() -> None:
    picks = []
    for number in range(200):
        candidates = [
            candidate("cheap+x", f"s{number}", 0.1, 10),
            candidate("dear+x", f"s{number}", 0.9, 10),
        ]
        forward = Evolution(config(Cost.none, Composite.random), PAIRS, 9).commit(candidates).chosen
        backward = Evolution(config(Cost.none, Composite.random), PAIRS, 9).commit(candidates[::-1]).chosen
        assert forward is backward is not None
        picks.append(forward.pair)
    assert 70 < picks.count("dear+x") < 130
