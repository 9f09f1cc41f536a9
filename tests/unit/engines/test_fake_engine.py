"""The fake engine: the same everywhere, plausible, marked, and as unreliable as configured."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.engines.fake_engine import FakeEngine
from staragents.agents.language import SeedLanguages
from staragents.agents.order_verdict import parse_verdict
from staragents.agents.rejects import answer_problem, rewrite_problem
from staragents.base.errors import EngineError
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.base.records import Seed
from staragents.config import FakeConfig, JudgeConfig, ModelConfig

VERDICT = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "maxLength": 30},
        "verdict": {"type": "string", "enum": ["A", "B", "tie"]},
    },
}


def engine(**fake: float) -> FakeEngine:
    return FakeEngine(ModelConfig(fake=FakeConfig(**fake)))


def request(text: str = "Name a river.", seed: int = 0, name: str = "r-0", **more: Any) -> GenerationRequest:
    sampling = Sampling(max_tokens=more.pop("max_tokens", 512))
    return GenerationRequest(name, sampling, seed, messages=(Message("user", text),), **more)


def answers(of: FakeEngine, requests: Iterable[GenerationRequest]) -> list[Generation | None]:
    """None stands for an EngineError."""

    async def one(each: GenerationRequest) -> Generation | None:
        try:
            return await of.generate(each)
        except EngineError:
            return None

    async def all_of_them() -> list[Generation | None]:
        return [await one(each) for each in requests]

    return asyncio.run(all_of_them())


def answer(of: FakeEngine, each: GenerationRequest) -> Generation:
    (generation,) = answers(of, [each])
    assert generation is not None
    return generation


@settings(max_examples=50)
@given(text=st.text(), seed=st.integers(0, 2**31 - 1))
def test_answers_are_marked_sentences_of_12_to_60_words_without_echoes(text: str, seed: int) -> None:
    generation = answer(engine(), request(text, seed))
    words = generation.text.split()
    assert words[0] == "[fake]"
    assert 12 <= len(words) <= 60
    assert generation.tokens_out == len(words)
    assert generation.finish_reason == "stop"
    assert re.fullmatch(r"\[fake\]( [A-Z][a-z]+( [a-z]+)*\.)+", generation.text)
    assert generation.text != text


def test_the_same_request_has_the_same_answer_in_any_engine_and_try() -> None:
    first = answer(engine(), request(name="r-0"))
    again = answer(engine(), request(name="r-1"))
    assert first.text == again.text


def test_another_prompt_or_random_seed_has_another_answer() -> None:
    texts = {
        answer(engine(), each).text
        for each in (
            request("Name a river."),
            request("Name a lake."),
            request("Name a river.", seed=1),
            GenerationRequest("r", Sampling(), 0, prompt="Name a river of France."),
        )
    }
    assert len(texts) == 4


def test_an_answer_longer_than_max_tokens_is_cut_off() -> None:
    generation = answer(engine(), request(max_tokens=5))
    assert (generation.finish_reason, generation.tokens_out) == ("length", 5)


def test_the_set_share_of_requests_fails_and_a_retry_may_succeed() -> None:
    flaky = engine(failure_rate=0.3)
    first = answers(flaky, [request(name=f"{i}-0") for i in range(1000)])
    failed = [i for i, generation in enumerate(first) if generation is None]
    assert 240 <= len(failed) <= 360
    second = answers(flaky, [request(name=f"{i}-1") for i in failed])
    assert 0.5 * len(failed) <= sum(generation is not None for generation in second) < len(failed)
    assert answers(flaky, [request(name=f"{failed[0]}-0")]) == [None]


def test_the_set_share_of_answers_are_refusals_and_the_others_pass_the_reject_rules() -> None:
    seed = "Name a long river in the west of France."
    generations = answers(engine(refusal_rate=0.2), [request(seed, seed=i) for i in range(1000)])
    written = [generation for generation in generations if generation]
    assert all("fake" in generation.text for generation in written)
    response = "The Loire is the longest river of France, and most of it lies in the west."
    languages = SeedLanguages(Seed("s", 0, (Message("user", seed), Message("assistant", response))))
    assert languages.answer == "en"
    for problems in (
        [rewrite_problem(seed, generation.text, generation, languages) for generation in written],
        [answer_problem(seed, generation.text, generation, response, languages) for generation in written],
    ):
        # One in a few thousand looks like a real language.
        assert problems.count("other_language") <= 5
        assert set(problems) - {"other_language"} == {None, "refusal"}
        assert 140 <= problems.count("refusal") <= 260


def test_a_verdict_is_json_of_the_schema_with_the_labels_probabilities() -> None:
    for seed in range(50):
        generation = answer(engine(), request(seed=seed, json_schema=VERDICT, top_logprobs=20))
        verdict = json.loads(generation.text)
        assert list(verdict) == ["reason", "verdict"]
        assert len(verdict["reason"]) <= 30
        assert "fake" in verdict["reason"]
        assert "".join(token.text for token in generation.logprobs) == generation.text
        (label,) = [token for token in generation.logprobs if set(token.top) == {"A", "B", "tie"}]
        assert sum(math.exp(logprob) for logprob in label.top.values()) == pytest.approx(1.0)
        assert label.text == verdict["verdict"] == max(label.top, key=lambda name: label.top[name])


def test_verdicts_vary_in_label_and_certainty() -> None:
    requests = [request(seed=i, json_schema=VERDICT, top_logprobs=20) for i in range(300)]
    tops = [
        token.top for g in answers(engine(), requests) if g for token in g.logprobs if len(token.top) == 3
    ]
    chances = sorted(math.exp(top["A"]) for top in tops)
    verdicts = [parse_verdict(g, JudgeConfig()) for g in answers(engine(), requests) if g]
    assert len({verdict.a_wins for verdict in verdicts if verdict}) == 300
    assert chances[30] < 0.15
    assert chances[-30] > 0.6
    assert all(sum(max(top, key=lambda n: top[n]) == name for top in tops) > 60 for name in ("A", "B", "tie"))


def test_logprobs_come_only_on_request() -> None:
    assert answer(engine(), request(json_schema=VERDICT)).logprobs == ()


def test_latencies_have_the_configured_mean_and_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def note(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    requests = [request(seed=i, deadline_s=1000.0) for i in range(1000)]
    answers(engine(latency_s=2.0), requests * 2)
    assert slept[:1000] == slept[1000:]
    assert 1.8 <= sum(slept[:1000]) / 1000 <= 2.2


def test_an_answer_past_its_deadline_is_an_error() -> None:
    assert answers(engine(latency_s=1000.0), [request(deadline_s=0.01)]) == [None]
