"""What a recall did to a draw, in words."""

from __future__ import annotations

from staragents.analysis.recall_effect import RecallEffect
from staragents.evolution.policy import NO_CONTEXT, DrawContext, Neighbour

NEAR = (Neighbour("a+x", 0.9, 0.8), Neighbour("b+x", 0.1, 0.8), Neighbour("a+x", 0.7, 0.6))
CONTEXT = DrawContext(40, NEAR, {"a+x": 0.25, "b+x": -0.125})


def effect(without: dict[str, float], now: dict[str, float], context: DrawContext = CONTEXT) -> str:
    return " ".join(RecallEffect.of(context, without, now, {NEAR[0]: "Bake bread."}).sentences())


def test_raised_and_lowered_pairs_are_named_with_both_probabilities() -> None:
    said = effect({"a+x": 0.2, "b+x": 0.5, "c+x": 0.3}, {"a+x": 0.6, "b+x": 0.1, "c+x": 0.3})
    assert "40 outcomes on similar instructions were recalled, the most similar at cosine 0.80" in said
    assert "raised a+x (0.20 -> 0.60) and lowered b+x (0.50 -> 0.10)" in said
    assert "c+x" not in said
    assert "a+x (+0.25), b+x (-0.12)" in said


def test_a_recall_without_effect_and_no_recall_are_told_apart() -> None:
    same = {"a+x": 0.5, "b+x": 0.5}
    assert "changed no probability" in effect(same, same)
    assert "nothing was recalled" in effect(same, same, NO_CONTEXT)


def test_outcomes_of_one_instruction_stand_together_with_its_text() -> None:
    first, second = RecallEffect.of(CONTEXT, {}, {}, {NEAR[0]: "Bake bread."}).nearest
    assert (first.instruction, [one.pair for one in first.outcomes]) == ("Bake bread.", ["a+x", "b+x"])
    assert (second.instruction, second.similarity) == (None, 0.6)
