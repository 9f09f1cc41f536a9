"""How the judge's answer to one order is read."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.agents.order_verdict import Label, OrderVerdict, parse_verdict
from staragents.base.generation import Generation, TokenLogprobs
from staragents.config import JudgeConfig, Verdicts

SOFT, HARD = JudgeConfig(), JudgeConfig(verdict=Verdicts.hard)
CONSERVATIVE = JudgeConfig(verdict=Verdicts.conservative)
CONFIGS = st.sampled_from([SOFT, HARD, CONSERVATIVE])


def answered(text: str, tokens: list[tuple[str, dict[str, float]]] | None = None) -> Generation:
    """A judge's answer; `tokens` are texts with the probabilities of their alternatives."""
    logprobs = tuple(
        TokenLogprobs(token, {other: math.log(p) for other, p in top.items()}) for token, top in tokens or ()
    )
    return Generation(text, "stop", 100, 20, 0.1, logprobs)


def read(text: str, config: JudgeConfig = SOFT) -> OrderVerdict | None:
    return parse_verdict(answered(text), config)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('{"reason":"A is longer, B is right","verdict":"B"}', "B"),
        ('{"verdict": "tie"}', "tie"),
        ('```json\n{"reason": "x",\n "verdict": "A"}\n```', "A"),
        ("{'reason': 'x', 'verdict': 'B'}", "B"),
        ('{"verdict": "B", "reason": "one of them says verdict: A and [[A]]"}', "B"),
        ('{"verdict": "B", "reason": "it says \\"verdict\\": \\"A\\""}', "B"),
        ('{"reason": "cut in the mid", "verdict": "A', "A"),
        ('{"reason": "it says \\"verdict\\": \\"A\\" itself", "verdict": "B"}', "B"),
        ("Verdict: tie", "tie"),
        ("I thought verdict: A, but after all verdict: B.", "B"),
        ("A is good. [[B]]", "B"),
        ("Better is [[A]] or [[B]]? [[C]]", "tie"),
        ("A", "A"),
        ('"tie"', "tie"),
        (" B.\n", "B"),
        ("\\boxed{A}", "A"),
        ('{"verdict": "Sample A"}', "A"),
        ("Verdict: `B`", "B"),
        ("Verdict\uff1aB", "B"),
        ("**Verdict:** Response B is better.", "B"),
        ("Verdict: A tie", "tie"),
        ("Verdict: A provides more", "A"),
        ("Verdict: A\nB is shorter.", "A"),
        ("Verdict: B, A is shorter", "B"),
        ("Verdict: A > B", "A"),
        ("Verdict: B >> A", "B"),
        ("[[A]] > [[B]]", "A"),
        ("Both are good, but **[[B]]** >> **[[A]]**.", "B"),
        ("[[A]] at first, then [[B]]", "B"),
        ("[[A]]\n> [[B]]", "B"),
        ("Verdict: A<br>", "A"),
        ("Verdict: A\n=====\nB is shorter.", "A"),
        ("Verdict: A is a bit better than B", "A"),
        ("Verdict: A isn't perfect, but B is wrong", "A"),
        ("Verdict: A has no errors, B does not answer", "A"),
        ("Verdict: B. A isn't better.", "B"),
        ("Verdict: A is not only correct but also complete.", "A"),
        ("Verdict: B is not just better written, it is right.", "B"),
        ("Verdict: A isn't merely the right one", "A"),
        ("Verdict: A is no doubt better", "A"),
        ("Verdict: A is not perfect but better than B", "A"),
        ("I thought verdict: A < B, but after all verdict: A.", "A"),
        ('```json\n{"verdict":"A","reason":"I considered verdict: B too"}\n```', "A"),
        ('```\n{"verdict":"B"}\n```\nI also considered verdict: A.', "B"),
    ],
)
def test_the_last_verdict_counts_however_it_is_written(text: str, label: Label) -> None:
    verdict = read(text)

    assert verdict is not None
    assert verdict.label == label
    assert verdict.a_wins == {"A": 1.0, "B": 0.0, "tie": 0.5}[label]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"reason":"endless',
        "Both are good.",
        '{"verdict":"C"}',
        "null",
        "Apple",
        "Verdict: A or B",
        "[[A]] or [[B]]",
        "[[A]] < [[B]]",
        "[[A]] = [[B]]",
        "Verdict: A better answer needs more",
        "Verdict: A < B",
        "Verdict: A<B",
        "Verdict: A << Response B",
        "Verdict: A = B",
        "Verdict: A == B",
        "Verdict: **A** \u2248 **B**",
        "Verdict: A >= B",
        "Verdict: Response A or Response B",
        "Verdict: A isn't better than B",
        "Verdict: A isn\u2019t any better",
        "Verdict: A is not as good as B",
        "Verdict: A does not win",
        "Verdict: A is clearly worse",
        "Verdict: A loses",
        "Verdict: A. On reflection, verdict: A is worse than B.",
        "Verdict: A\nVerdict after checking facts: B\nFinal verdict: A isn't better than B",
        "First verdict: tie. Final verdict: A < B",
        "[[B]] at first. Verdict: A or B",
        "[[A]] is worse",
        '{"verdict": "B"}\n{"verdict": "A = B"}',
        '{"reason": "x", "verdict": "A < B"}',
        '{"reason": "x", "verdict": "B is not better"}',
        '{"verdict": "A|B|tie"}',
        'Reply in JSON: "reason", one short sentence, then "verdict": "A", "B" or "tie".',
    ],
)
def test_a_missing_verdict_is_none_and_not_a_tie(text: str) -> None:
    assert read(text) is None


def test_the_reason_is_kept_up_to_its_length() -> None:
    config = JudgeConfig(max_reason_chars=10)

    verdict = read('{"reason":"one two three four","verdict":"A"}', config)
    loose = read("because it is right. Verdict: A", SOFT)

    assert verdict is not None
    assert verdict.reason == "one two th"
    fenced = read('```json\n{"reason":"it is right","verdict":"A"}\n```')
    assert fenced is not None
    assert fenced.reason == "it is right"
    assert loose is not None
    assert loose.reason == "because it is right."


def test_a_reason_with_an_escaped_unpaired_surrogate_can_be_stored() -> None:
    verdict = read(r'{"reason":"a \ud83d b\u0000","verdict":"A"}')
    assert verdict is not None
    assert verdict.reason == "a \ufffd b\ufffd"


def tokens_for(verdict_token: str, top: dict[str, float], before: str, after: str) -> Generation:
    tokens = [(before, {before: 1.0}), (verdict_token, top), (after, {after: 1.0})]
    return answered(before + verdict_token + after, tokens)


@pytest.mark.parametrize(
    ("generation", "expected"),
    [
        # The mask leaves the labels only.
        (tokens_for("A", {"A": 0.6, "B": 0.3, "t": 0.1}, '{"reason":"B, A","verdict":"', '"}'), 0.65),
        # Unmasked: the rest is noise.
        (tokens_for("B", {"B": 0.3, "A": 0.1, "The": 0.5, " ": 0.1}, '{"verdict": "', '"}'), 0.25),
        # Quotes and spaces inside the tokens.
        (tokens_for(' "A', {' "A': 0.5, ' "B': 0.25, ' "tie': 0.25}, '{"verdict":', '"}'), 0.625),
        (tokens_for('B"', {'B"': 0.8, 'A"': 0.2}, '{"verdict":"', "}"), 0.2),
        # One label's tokens of different lengths.
        (tokens_for("tie", {"tie": 0.4, "ti": 0.1, "t": 0.1, "A": 0.4}, '{"verdict":"', '"}'), 0.7),
        (tokens_for("A", {"A": 0.9, "Assistant": 0.05, "B": 0.1}, "Verdict: ", "."), 0.9),
        # As the model writes it, in lower case.
        (tokens_for(" b", {" b": 0.75, " A": 0.2, " B": 0.05, " a": 0.0001}, "Verdict:", ""), 0.2),
        (tokens_for("b", {"b": 0.75, "a": 0.25}, "verdict: ", ""), 0.25),
        # The article of "a tie" and "a better answer".
        (tokens_for(" tie", {" tie": 0.5, " a": 0.4, " A": 0.02, " B": 0.02}, "Verdict:", ""), 0.5),
        (tokens_for(" B", {" B": 0.45, " a": 0.4, " A": 0.05}, "Verdict:", ""), 0.1),
        (tokens_for("A", {"A": 0.75, "B": 0.25}, "A is good, B is not. [[", "]]"), 0.75),
    ],
)
def test_soft_verdicts_are_the_labels_share_at_the_verdict_token(
    generation: Generation, expected: float
) -> None:
    verdict = parse_verdict(generation, SOFT)

    assert verdict is not None
    assert verdict.a_wins == pytest.approx(expected, abs=1e-4)


def test_hard_verdicts_ignore_probabilities() -> None:
    generation = tokens_for("A", {"A": 0.6, "B": 0.4}, '{"verdict":"', '"}')

    verdict = parse_verdict(generation, HARD)

    assert verdict is not None
    assert verdict.a_wins == 1.0


@pytest.mark.parametrize(
    "generation",
    [
        answered('{"verdict":"A"}'),
        answered('{"verdict":"A"}', [("something else", {"x": 1.0})]),
        answered('{"verdict":"A"}', [('{"verdict":"', {}), ("A", {}), ('"}', {})]),
        answered('{"verdict":"A"}', [('{"verdict":"', {}), ("B", {"B": 1.0}), ('"}', {})]),
    ],
)
def test_without_usable_probabilities_the_label_counts(generation: Generation) -> None:
    assert parse_verdict(generation, SOFT) == OrderVerdict("A", 1.0, "")


GARBAGE = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            ['"verdict"', ":", '"A"', "tie", "[[", "]]", "{", "}", "\\", '"reason"', "B", "\ufffd"]
        ),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(
    GARBAGE, st.lists(GARBAGE.map("".join), max_size=4), st.floats(max_value=0.0, allow_nan=False), CONFIGS
)
def test_garbage_never_raises_and_never_leaves_the_unit_interval(
    parts: list[str], alternatives: list[str], logprob: float, config: JudgeConfig
) -> None:
    top = dict.fromkeys(alternatives, logprob)
    logprobs = tuple(TokenLogprobs(part, top) for part in parts)

    verdict = parse_verdict(Generation("".join(parts), "stop", 1, 1, 0.1, logprobs), config)

    assert verdict is None or 0.0 <= verdict.a_wins <= 1.0


@settings(deadline=None)
@given(
    st.text(max_size=60).filter(lambda text: "verdict" not in text.lower()),
    st.sampled_from(["A", "B", "tie"]),
)
def test_every_answer_that_matches_the_schema_is_read(reason: str, label: str) -> None:
    verdict = read(json.dumps({"reason": reason, "verdict": label}))

    assert verdict is not None
    assert verdict.label == label
