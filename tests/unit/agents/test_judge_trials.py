"""Comparisons with a known answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from staragents.agents.judge_trials import Harm, judge_trials
from staragents.base.messages import Message, with_exchange
from staragents.base.records import Seed

LONG = "The sun rises in the east and sets in the west."


def seed(response: str, number: int = 0) -> Seed:
    return Seed(f"s{number}", number, with_exchange((Message("system", "Be brief."),), "Tell me.", response))


def harmed(*responses: str) -> dict[tuple[str, Harm], str]:
    seeds = [seed(response, number) for number, response in enumerate(responses)]
    return {(one.seed[-1].content, one.harm): one.harmed[-1].content for one in judge_trials(seeds)}


def test_each_harm_makes_the_response_worse() -> None:
    found = harmed(LONG, "Water boils at a hundred degrees.")
    assert found[LONG, Harm.truncated] == "The sun rises in the"
    assert found[LONG, Harm.swapped] == "Water boils at a hundred degrees."
    shuffled = found[LONG, Harm.shuffled]
    assert sorted(shuffled.split()) == sorted(LONG.split())
    assert shuffled != LONG


def test_only_the_response_changes() -> None:
    for trial in judge_trials([seed(LONG), seed("Water boils at a hundred degrees.", 1)]):
        assert trial.harmed[:-1] == trial.seed[:-1]


def test_a_script_without_spaces_is_cut_by_characters() -> None:
    found = harmed("太阳从东边升起又从西边落下。")
    assert found["太阳从东边升起又从西边落下。", Harm.truncated] == "太阳从东边升起"


def test_a_short_response_is_only_swapped() -> None:
    assert set(harmed("Blue.", LONG)) == {
        ("Blue.", Harm.swapped),
        *((LONG, harm) for harm in Harm),
    }


def test_a_single_seed_is_not_swapped() -> None:
    assert set(harmed(LONG)) == {(LONG, Harm.truncated), (LONG, Harm.shuffled)}


@given(st.lists(st.text(max_size=40), max_size=6))
def test_no_trial_compares_a_text_with_itself_and_all_are_repeatable(responses: list[str]) -> None:
    seeds = [seed(response, number) for number, response in enumerate(responses)]
    trials = list(judge_trials(seeds))
    assert trials == list(judge_trials(seeds))
    assert len({trial.trial_id for trial in trials}) == len(trials)
    for trial in trials:
        assert trial.harmed[-1].content.split() != trial.seed[-1].content.split()
