"""Difficulty, composite reward and the choice of a seed's candidate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.base.messages import Message
from staragents.base.records import Candidate
from staragents.config import Composite, Difficulty, Fallback, RewardConfig
from staragents.reward.composite import choose, composite
from staragents.reward.difficulty import difficulties, misaligned, ranked_value
from staragents.reward.rank_sketch import RankSketch

PAPER = RewardConfig(difficulty=Difficulty.paper, require_win=False, fallback=Fallback.base)


def candidate(
    target: float | None = None,
    larger: float | None = None,
    win: float | None = None,
    reward: float | None = None,
    name: str = "a",
    **more,
) -> Candidate:
    gap = None if target is None or larger is None else target - larger
    return Candidate(
        seed_id="s",
        candidate_id=name,
        pair=f"{name}+x",
        instruction_agent=name,
        response_agent="x",
        propensity=0.5,
        seed_messages=(),
        messages=(Message("user", "q"), Message("assistant", "r")),
        target_ifd=target,
        larger_ifd=larger,
        ifd_gap=gap,
        judge_win=win,
        reward=reward,
        **more,
    )


def seen(*gaps: float) -> RankSketch:
    sketch = RankSketch()
    for gap in gaps:
        sketch.add(gap)
    return sketch


@pytest.mark.parametrize(
    ("target", "larger", "expected"),
    [(0.8, None, False), (1.01, 0.9, True), (0.9, 1.01, True), (1.0, 1.0, False), (None, None, False)],
)
def test_an_ifd_above_one_of_either_model_is_misaligned(target, larger, expected) -> None:
    assert misaligned(candidate(target, larger)) is expected


def test_rank_difficulty_is_the_rank_among_all_gaps_of_the_run() -> None:
    ours = [candidate(0.9, 0.6), candidate(0.9, 0.8)]
    sketch = seen(-0.1, 0.05, 0.2, 0.4, 0.3, 0.1)
    assert difficulties(ours, Difficulty.rank, sketch) == pytest.approx([4.5 / 6, 2.5 / 6])


@pytest.mark.parametrize("kind", [Difficulty.rank, Difficulty.gap_p95])
@pytest.mark.parametrize(("target", "larger"), [(0.6, 0.7), (0.5, 0.5), (1.2, 0.3), (1.3, 1.1), (None, 0.4)])
def test_a_gap_that_is_not_positive_misaligned_or_unknown_has_difficulty_zero(kind, target, larger) -> None:
    assert difficulties([candidate(target, larger)], kind, seen(-1.0, -0.5, 0.01)) == [0.0]


def test_paper_difficulty_is_the_share_of_the_largest_gap() -> None:
    ours = [candidate(0.9, 0.5), candidate(0.9, 0.7), candidate(0.5, 0.6), candidate(None, 0.6)]
    assert difficulties(ours, Difficulty.paper, RankSketch()) == pytest.approx([1.0, 0.5, 0.0, 0.0])


def test_paper_difficulty_is_zero_throughout_when_no_gap_is_positive() -> None:
    ours = [candidate(0.5, 0.6), candidate(0.5, 0.9)]
    assert difficulties(ours, Difficulty.paper, RankSketch()) == [0.0, 0.0]


def test_target_only_ranks_the_target_ifd_up_to_one() -> None:
    ours = [candidate(0.7, None), candidate(1.1, None)]
    assert difficulties(ours, Difficulty.target_only, seen(0.5, 0.6, 0.9, 1.1)) == [0.5, 0.0]
    assert ranked_value(ours[0], Difficulty.target_only) == 0.7


def test_gap_p95_grows_linearly_up_to_the_95th_percentile() -> None:
    sketch = seen(*[0.1] * 19, 0.4)
    ours = [candidate(0.55, 0.5), candidate(0.9, 0.3)]
    assert difficulties(ours, Difficulty.gap_p95, sketch) == pytest.approx([0.5, 1.0], abs=0.01)


def test_gap_p95_is_zero_while_no_gap_was_positive() -> None:
    assert difficulties([candidate(0.9, 0.5)], Difficulty.gap_p95, seen(*[-0.1] * 40, 0.4)) == [0.0]


ifds = st.one_of(st.none(), st.floats(0, 3))


@given(st.lists(st.tuples(ifds, ifds), min_size=1, max_size=6), st.sampled_from(Difficulty))
def test_every_difficulty_lies_in_the_unit_interval(rows, kind: Difficulty) -> None:
    ours = [candidate(target, larger) for target, larger in rows]
    sketch = seen(*[value for one in ours if (value := ranked_value(one, kind)) is not None])
    assert all(0.0 <= value <= 1.0 for value in difficulties(ours, kind, sketch))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Composite.product, 0.2),
        (Composite.weighted, 0.525),
        (Composite.judge_only, 0.8),
        (Composite.dual_only, 0.25),
    ],
)
def test_composites(kind: Composite, expected: float) -> None:
    assert composite(0.8, 0.25, kind) == pytest.approx(expected)


def test_an_unreadable_verdict_gives_no_reward_unless_no_verdict_is_needed() -> None:
    assert composite(None, 0.5, Composite.product) is None
    assert composite(None, 0.5, Composite.dual_only) == 0.5


def test_the_highest_reward_among_the_judges_wins_is_chosen() -> None:
    ours = [
        candidate(win=0.5, reward=0.5, name="tie"),
        candidate(win=0.7, reward=0.3, name="best"),
        candidate(win=0.9, reward=0.1, name="easy"),
    ]
    assert choose(ours, RewardConfig()) is ours[1]


def test_a_clear_win_is_chosen_even_without_difficulty() -> None:
    ours = [candidate(win=0.7, reward=0.0, name="a"), candidate(win=0.9, reward=0.0, name="b")]
    assert choose(ours, RewardConfig()) is ours[1]


def test_full_ties_go_to_the_smaller_id_in_any_order() -> None:
    ours = [candidate(win=0.7, reward=0.2, name=name) for name in "cab"]
    assert choose(ours, RewardConfig()).candidate_id == "a"
    assert choose(ours[::-1], RewardConfig()).candidate_id == "a"


def test_nothing_is_chosen_without_a_win() -> None:
    ours = [candidate(win=0.5, reward=0.4), candidate(win=None, reward=None), candidate(win=0.2, reward=0.1)]
    assert choose(ours, RewardConfig()) is None


@pytest.mark.parametrize(("margin", "chosen"), [(0.0, "near"), (0.05, "clear"), (0.1, "clear"), (0.3, None)])
def test_a_win_within_the_margin_is_none(margin: float, chosen: str | None) -> None:
    ours = [candidate(win=0.55, reward=0.5, name="near"), candidate(win=0.7, reward=0.2, name="clear")]
    found = choose(ours, RewardConfig(margin=margin))
    assert (found and found.candidate_id) == chosen


def test_the_margin_is_that_of_wins() -> None:
    assert choose([candidate(win=0.2, reward=0.2)], RewardConfig(require_win=False, margin=0.3)) is not None


def test_rejected_and_failed_candidates_are_never_chosen() -> None:
    ours = [
        candidate(win=0.9, reward=0.9, reject_reason="misaligned"),
        candidate(win=0.9, reward=0.9, failed_stage="judge"),
    ]
    assert choose(ours, RewardConfig()) is None
    assert choose(ours, PAPER) is None


def test_the_papers_choice_needs_no_win() -> None:
    ours = [candidate(win=0.2, reward=0.2), candidate(win=None, reward=0.4, base=True)]
    assert choose(ours, PAPER) is ours[1]


def test_all_zero_rewards_fall_back_to_the_base_sample_if_it_generated() -> None:
    ours = [candidate(win=0.0, reward=0.0), candidate(win=None, reward=0.0, base=True)]
    assert choose(ours, PAPER) is ours[1]
    ours[1].reject_reason = "refusal"
    assert choose(ours, PAPER) is None


rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.floats(0, 1)),
        st.floats(0, 1),
        st.sampled_from([None, "refusal", "misaligned"]),
    ),
    min_size=1,
    max_size=6,
)


@given(rows, st.sampled_from([0.0, 0.05, 0.1, 0.4]))
def test_a_choice_has_won_and_no_other_winner_has_a_higher_reward(given_rows, margin: float) -> None:
    ours = [
        candidate(
            win=win, reward=composite(win, hard, Composite.product), name=str(index), reject_reason=reason
        )
        for index, (win, hard, reason) in enumerate(given_rows)
    ]
    winners = [one for one in ours if one.reject_reason is None and (one.judge_win or 0) > 0.5 + margin]
    chosen = choose(ours, RewardConfig(margin=margin))
    assert (chosen is None) == (not winners)
    if chosen is not None:
        assert chosen in winners
        assert chosen.reward == max(one.reward for one in winners)
