"""The state machine: draws, rewards, choices, and a restore that changes nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.base.messages import Message
from staragents.base.records import Candidate, as_row, stable_id
from staragents.config import (
    AgentsConfig,
    Baseline,
    Composite,
    Config,
    Credit,
    Difficulty,
    EvolutionConfig,
    Fallback,
    JudgeConfig,
    PolicyName,
    RewardConfig,
)
from staragents.evolution.evolution import Evolution
from staragents.evolution.policy import NO_CONTEXT, Draw, DrawContext, RecalledOutcomes, keep_context
from tests.support.policies import recalled

PAIRS = ["base+x", "a+x", "b+x", "c+x", "d+x"]


def default(policy: PolicyName = PolicyName.thompson, draws: int = 2, **reward) -> Config:
    return Config(
        agents=AgentsConfig(pairs=PAIRS, base_pairs=["base+x"]),
        evolution=EvolutionConfig(policy=policy, draws=draws),
        reward=RewardConfig(**reward),
    )


def paper() -> Config:
    return Config(
        agents=AgentsConfig(pairs=PAIRS, base_pairs=["base+x"]),
        evolution=EvolutionConfig(policy=PolicyName.paper, draws=2, credit=Credit.winner, floor=0.0),
        judge=JudgeConfig(baseline=Baseline.base),
        reward=RewardConfig(difficulty=Difficulty.paper, require_win=False, fallback=Fallback.base),
    )


def candidate(
    pair: str, seed_id: str = "s", gap: float | None = 0.2, win: float | None = 0.8, **more
) -> Candidate:
    fields = {"target_ifd": None if gap is None else 0.6 + gap, "larger_ifd": 0.6, "ifd_gap": gap}
    return Candidate(
        seed_id=seed_id,
        candidate_id=stable_id(seed_id, pair),
        pair=pair,
        instruction_agent=pair.split("+")[0],
        response_agent="x",
        propensity=0.5,
        seed_messages=(),
        messages=(Message("user", "q"), Message("assistant", "r")),
        judge_win=win,
        base=pair == "base+x",
        **(fields | more),
    )


def observations(evolution: Evolution) -> dict[str, int]:
    return {standing.pair: standing.observations for standing in evolution.pair_stats()}


def mean_rewards(evolution: Evolution) -> dict[str, float]:
    return {one.pair: one.mean_reward for one in evolution.pair_stats() if one.observations}


def test_base_pairs_come_first_and_for_certain() -> None:
    drawn = Evolution(default(), PAIRS, 10).draw("s", NO_CONTEXT)
    assert drawn[0] == Draw("base+x", 1.0)
    assert len({one.pair for one in drawn}) == len(drawn) == 3
    assert all(0 < one.propensity < 1 for one in drawn[1:])


@pytest.mark.parametrize("policy", PolicyName)
def test_a_run_of_base_pairs_only_draws_and_commits(policy: PolicyName) -> None:
    config = default(policy)
    evolution = Evolution(config, ["base+x"], 10)
    assert evolution.draw("s", NO_CONTEXT) == [Draw("base+x", 1.0)]
    chosen = evolution.commit([candidate("base+x")]).chosen
    assert chosen is not None
    assert [(one.pair, one.probability, one.observations) for one in evolution.pair_stats()] == [
        ("base+x", 0.0, 1)
    ]


def test_the_policy_learns_with_the_neighbours_of_the_candidates_draw() -> None:
    known, unknown = Evolution(default(), PAIRS, 10), Evolution(default(), PAIRS, 10)
    context = {"neighbours": 1, "readings": {"d+x": 0.9}}
    known.commit([candidate("d+x", **context), candidate("a+x", **context)])
    unknown.commit([candidate("d+x"), candidate("a+x")])
    rewards = {one.pair: one.mean_reward for one in known.pair_stats() if one.observations}
    kinds = known.policy.state()["kinds"]["sums"]
    # Number, the pair's own reading, that of its agents, reward.
    assert kinds["d+x"] == pytest.approx([1, 0.9, 0, rewards["d+x"]], abs=1e-4)
    assert kinds["a+x"] == pytest.approx([1, 0, 0, rewards["a+x"]], abs=1e-4)
    assert unknown.policy.state()["kinds"]["sums"] == {}
    assert known.policy.state()["belief"] == unknown.policy.state()["belief"]


def test_the_state_of_the_version_before_is_restored_without_its_copy_of_the_draws() -> None:
    evolution, again = Evolution(default(), PAIRS, 10), Evolution(default(), PAIRS, 10)
    evolution.commit([candidate("d+x"), candidate("a+x")])
    before = {"pending": {"t": [["base+x", 1.0], ["d+x", 0.5]]}, "recalled": {"t": [["d+x", 1.0, 0.9]]}}
    again.restore(evolution.state() | before)
    assert again.state() == evolution.state()


def test_the_default_reward_is_win_times_the_rank_of_the_gap() -> None:
    evolution = Evolution(default(), PAIRS, 10)
    ours = [
        candidate("base+x", gap=0.1),
        candidate("a+x", gap=0.3, win=0.7),
        candidate("b+x", gap=0.2, win=0.9),
    ]
    chosen = evolution.commit(ours).chosen
    assert [one.difficulty for one in ours] == pytest.approx([0.5 / 3, 2.5 / 3, 1.5 / 3])
    assert [one.reward for one in ours] == pytest.approx([0.8 * 0.5 / 3, 0.7 * 2.5 / 3, 0.9 * 1.5 / 3])
    assert chosen is ours[1]
    assert [one.selected for one in ours] == [False, True, False]


def test_base_pairs_are_counted_but_not_learnt() -> None:
    evolution = Evolution(default(), PAIRS, 10)
    before = evolution.policy.state()
    evolution.commit([candidate("base+x")])
    assert evolution.policy.state() == before
    assert observations(evolution) == {"base+x": 1, "a+x": 0, "b+x": 0, "c+x": 0, "d+x": 0}
    assert sum(one.probability for one in evolution.pair_stats()) == pytest.approx(1)


@pytest.mark.parametrize("composite", Composite)
def test_rejected_texts_earn_nothing_and_failures_teach_nothing(composite: Composite) -> None:
    evolution = Evolution(default(composite=composite), PAIRS, 10)
    ours = [
        candidate("a+x", reject_reason="refusal", gap=None, win=None),
        candidate("b+x", failed_stage="judge", win=None),
        candidate("c+x", target_ifd=1.2, ifd_gap=0.6),
    ]
    assert evolution.commit(ours).chosen is None
    assert [one.reject_reason for one in ours] == ["refusal", None, "misaligned"]
    assert [one.reward for one in ours] == [0.0, None, 0.0]
    assert [one.difficulty for one in ours] == [None, None, 0.0]
    assert mean_rewards(evolution) == {"a+x": 0.0, "c+x": 0.0}


def test_an_unreadable_verdict_teaches_nothing() -> None:
    evolution = Evolution(default(), PAIRS, 10)
    ours = [candidate("a+x", win=None), candidate("base+x", win=None)]
    assert evolution.commit(ours).chosen is None
    assert [one.reward for one in ours] == [None, None]
    assert observations(evolution)["a+x"] == observations(evolution)["base+x"] == 0


def test_a_candidate_that_could_not_be_scored_has_difficulty_zero_but_may_win() -> None:
    ours = [candidate("a+x", gap=None, win=0.9)]
    assert Evolution(default(), PAIRS, 10).commit(ours).chosen is ours[0]
    assert (ours[0].difficulty, ours[0].reward) == (0.0, 0.0)


def test_in_the_papers_preset_the_base_sample_competes_as_a_tie_with_itself() -> None:
    evolution = Evolution(paper(), PAIRS, 10)
    ours = [
        candidate("base+x", gap=0.4, win=None),
        candidate("a+x", gap=0.1, win=1.0),
        candidate("b+x", win=0.0),
    ]
    assert evolution.commit(ours).chosen is ours[0]
    assert [one.reward for one in ours] == pytest.approx([0.5, 0.25, 0.0])
    assert ours[0].judge_win is None
    # No pair of the policy won, so equation 8 raises none.
    assert set(evolution.policy.state()["p"].values()) == {0.25}


def test_the_papers_preset_raises_the_winners_pair_and_ignores_alignment() -> None:
    evolution = Evolution(paper(), PAIRS, 70)
    ours = [candidate("a+x", gap=0.6, win=1.0), candidate("b+x", gap=0.3, win=1.0)]
    assert evolution.commit(ours).chosen is ours[0]
    assert (ours[0].reject_reason, ours[0].reward) == (None, 1.0)
    assert evolution.policy.state()["p"]["a+x"] == pytest.approx(0.35 / 1.1)


def test_the_papers_preset_falls_back_to_the_base_sample_when_no_reward_is_positive() -> None:
    ours = [candidate("base+x", gap=-0.1, win=None), candidate("a+x", gap=-0.2, win=1.0)]
    assert Evolution(paper(), PAIRS, 10).commit(ours).chosen is ours[0]
    assert ours[0].selected


def test_a_misaligned_mark_from_another_configs_run_is_cleared() -> None:
    ours = [candidate("a+x", gap=0.6, win=1.0, reject_reason="misaligned")]
    assert Evolution(paper(), PAIRS, 10).commit(ours).chosen is ours[0]


def made(seed_id: str, drawn: list[Draw], context: DrawContext, root: int) -> list[Candidate]:
    """Candidates of a draw with scores and verdicts: random, but the same for the same seed."""
    ours = []
    for one in drawn:
        rng = np.random.default_rng([root, *f"{seed_id}{one.pair}".encode()])
        kind = rng.choice(["good", "good", "good", "rejected", "failed", "unread", "unscored", "misaligned"])
        more = {
            "good": {},
            "rejected": {"reject_reason": "echo", "gap": None, "win": None},
            "failed": {"failed_stage": "response"},
            "unread": {"win": None},
            "unscored": {"gap": None},
            "misaligned": {"gap": 0.7},
        }[str(kind)]
        fields = {"gap": float(rng.normal(0.1, 0.1)), "win": float(rng.random())} | more
        ours.append(candidate(one.pair, seed_id, **fields))
        keep_context(ours[-1], context)
    return ours


def recalled_for(seed_id: str, root: int) -> RecalledOutcomes:
    rng = np.random.default_rng([root, 9, *seed_id.encode()])
    return recalled(*((str(pair), float(rng.random()), float(rng.random())) for pair in rng.choice(PAIRS, 3)))


def run(
    evolution: Evolution,
    first: int,
    last: int,
    window: int,
    total: int,
    root: int,
    draws: dict[str, tuple[DrawContext, list[Draw]]] | None = None,
) -> list[dict]:
    """Commit seeds first..last-1 in order, each drawn `window` commits earlier. `draws`: those so far."""
    rows, draws = [], {} if draws is None else draws
    for number in range(first, last):
        for seed in (f"s{ahead}" for ahead in range(number, min(number + window, total))):
            if seed not in draws:
                context = evolution.context(recalled_for(seed, root))
                draws[seed] = context, evolution.draw(seed, context)
        context, drawn = draws[f"s{number}"]
        ours = made(f"s{number}", drawn, context, root)
        evolution.commit(ours)
        rows += [as_row(one) for one in ours]
    return rows


@settings(max_examples=40, deadline=None)
@given(
    policy=st.sampled_from(PolicyName),
    difficulty=st.sampled_from(Difficulty),
    window=st.integers(1, 5),
    stop=st.integers(0, 14),
    root=st.integers(0, 1000),
)
def test_a_restored_run_equals_an_undisturbed_one(policy, difficulty, window, stop, root) -> None:
    config = default(policy, difficulty=difficulty)
    config.run.seed = root
    undisturbed, before = Evolution(config, PAIRS, 14), Evolution(config, PAIRS, 14)
    expected = run(undisturbed, 0, 14, window, 14, root)
    draws: dict[str, tuple[DrawContext, list[Draw]]] = {}
    rows = run(before, 0, stop, window, 14, root, draws)
    restored = Evolution(config, PAIRS, 14)
    restored.restore(json.loads(json.dumps(before.state())))
    rows += run(restored, stop, 14, window, 14, root, draws)
    assert rows == expected
    assert restored.state() == undisturbed.state()
    assert restored.pair_stats() == undisturbed.pair_stats()


@settings(max_examples=40, deadline=None)
@given(root=st.integers(0, 10_000))
def test_by_default_every_chosen_candidate_won_and_has_its_seeds_highest_reward_of_a_winner(
    root: int,
) -> None:
    config = default(draws=4)
    rows = run(Evolution(config, PAIRS, 10), 0, 10, 2, 10, root)
    for number in range(10):
        ours = [row for row in rows if row["seed_id"] == f"s{number}"]
        winners = [
            row["reward"]
            for row in ours
            if row["failed_stage"] is None
            and row["reject_reason"] is None
            and (row["judge_win"] or 0) > config.reward.least_win
        ]
        chosen = [row for row in ours if row["selected"]]
        assert len(chosen) == bool(winners)
        for row in chosen:
            assert row["judge_win"] > config.reward.least_win
            assert row["reward"] == max(winners)
            assert row["target_ifd"] is None or row["target_ifd"] <= 1


def test_other_run_seeds_draw_other_pairs() -> None:
    one, other = default(), default()
    other.run.seed = 1
    draws = [
        [Evolution(config, PAIRS, 9).draw(f"s{n}", NO_CONTEXT) for n in range(20)] for config in (one, other)
    ]
    assert draws[0] != draws[1]


@pytest.mark.parametrize("policy", [PolicyName.thompson, PolicyName.paper])
def test_the_loop_learns_which_pair_the_judge_prefers(policy: PolicyName) -> None:
    config = default(policy, draws=2)
    config.evolution.rate = 20.0
    evolution = Evolution(config, PAIRS, 400)
    rng = np.random.default_rng(0)
    for number in range(400):
        drawn = evolution.draw(f"s{number}", NO_CONTEXT)
        evolution.commit(
            [
                candidate(
                    one.pair,
                    f"s{number}",
                    gap=float(rng.uniform(0.01, 0.3)),
                    win=float(rng.uniform(0.5, 1.0) if one.pair == "c+x" else rng.uniform(0.0, 0.5)),
                )
                for one in drawn
            ]
        )
    probability = {standing.pair: standing.probability for standing in evolution.pair_stats()}
    assert max(probability, key=probability.__getitem__) == "c+x"
    assert probability["c+x"] > 0.4
