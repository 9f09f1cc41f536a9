"""An engine without a model, for load and fault tests. Every text it writes is marked as fake."""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from staragents.base.errors import EngineError
from staragents.base.generation import Generation, GenerationRequest, TokenLogprobs
from staragents.config import ModelConfig, Reasoning
from staragents.text.thinking import split_thinking

SYLLABLES = ("ba", "do", "fi", "ku", "la", "me", "no", "pi", "ra", "su", "te", "vo")
WORDS = tuple(a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES)
MARK = "[fake]"
REFUSAL = f"I'm sorry, but I can't help with that. {MARK}"
_PIECES = re.compile(r"\w+|\W")
SENTENCE_WORDS = 12
REASON_WORDS = 6
# Standard deviation of the verdict labels' logits: most verdicts lean to one label, few are certain.
PREFERENCE_SPREAD = 1.5


class FakeEngine:
    """Answers from a hash of prompt and random seed: the same request gets the same answer everywhere.

    Whether a request fails depends on its id, which differs between attempts.
    """

    def __init__(self, config: ModelConfig) -> None:
        self.config = config.fake
        self._thinks = config.fake.thinks and config.reasoning is not Reasoning.off
        self._thinking_tokens = config.thinking_tokens

    async def start(self) -> None:
        """Nothing to load."""

    async def check(self) -> None:
        """A fake engine never dies."""

    async def stop(self) -> None:
        """Nothing to free."""

    async def generate(self, request: GenerationRequest) -> Generation:
        """Pseudo-words, or a verdict if the schema asks for one. Raises EngineError at `failure_rate`."""
        started = time.perf_counter()
        prompt = request.prompt_text
        rng = random.Random(_number(f"{request.seed}\n{prompt}"))
        latency, refusal = rng.random(), rng.random()
        await self._take_time(-math.log(1.0 - latency) * self.config.latency_s, request.deadline_s)
        # Seeding a generator takes longer than half of the rest.
        rate = self.config.failure_rate
        if rate and random.Random(_number(request.request_id)).random() < rate:
            raise EngineError(f"fake failure of request {request.request_id}")
        tokens_in, seconds = prompt.count(" ") + 1, time.perf_counter() - started
        answer = self._answer(request, rng, refusal < self.config.refusal_rate, tokens_in, seconds)
        if self._thinks and request.messages is not None:
            answer = self._after_a_thought(answer, random.Random(_number(f"{request.seed}\nthink\n{prompt}")))
        return answer

    @staticmethod
    def _answer(
        request: GenerationRequest, rng: random.Random, refusal: bool, tokens_in: int, seconds: float
    ) -> Generation:
        if request.json_schema and "verdict" in request.json_schema.get("properties", {}):
            logprobs = _verdict(request.json_schema["properties"], rng)
            text = "".join(token.text for token in logprobs)
            shown = logprobs if request.top_logprobs else ()
            return Generation(text, "stop", tokens_in, len(logprobs), seconds, shown)
        words = REFUSAL.split() if refusal else _words(rng)
        kept = words[: request.sampling.max_tokens]
        return Generation(
            text=" ".join(kept),
            finish_reason="stop" if kept == words else "length",
            tokens_in=tokens_in,
            tokens_out=len(kept),
            seconds=seconds,
        )

    def _after_a_thought(self, answer: Generation, rng: random.Random) -> Generation:
        """The same answer behind a thought in tags, which is split from it as a real model's is."""
        words = [MARK, *rng.choices(WORDS, k=rng.randint(20, 60))]
        kept = words[: self._thinking_tokens]
        if kept != words:
            split = split_thinking(f"<think>\n{' '.join(kept)}", truncated=True)
            answer = replace(answer, finish_reason="length", tokens_out=0, logprobs=())
        else:
            split = split_thinking(f"<think>\n{' '.join(words)}\n</think>\n\n{answer.text}")
        return replace(
            answer,
            text=split.answer,
            reasoning=split.reasoning,
            reasoning_tokens=len(kept),
            tokens_out=answer.tokens_out + len(kept),
        )

    @staticmethod
    async def _take_time(seconds: float, deadline_s: float) -> None:
        await asyncio.sleep(min(seconds, deadline_s))
        if seconds > deadline_s:
            raise EngineError(f"no answer within {deadline_s:g} s")


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _words(rng: random.Random) -> list[str]:
    """12 to 60 words in sentences, including the mark."""
    words = rng.choices(WORDS, k=rng.randint(11, 59))
    for end in range(SENTENCE_WORDS - 1, len(words), SENTENCE_WORDS):
        words[end] += "."
    for begin in range(0, len(words), SENTENCE_WORDS):
        words[begin] = words[begin].capitalize()
    words[-1] = words[-1].rstrip(".") + "."
    return [MARK, *words]


def _verdict(properties: dict[str, Any], rng: random.Random) -> tuple[TokenLogprobs, ...]:
    """The tokens of a JSON object with the schema's properties in their order; the label is one token."""
    labels = properties["verdict"].get("enum", ["A", "B", "tie"])
    logits = [rng.gauss(0.0, PREFERENCE_SPREAD) for _ in labels]
    norm = math.log(sum(math.exp(logit) for logit in logits))
    top = {label: logit - norm for label, logit in zip(labels, logits, strict=True)}
    tokens: list[TokenLogprobs] = []
    for name, schema in properties.items():
        tokens += _certain(f'{"," if tokens else "{"}{json.dumps(name)}:"')
        if name == "verdict":
            tokens.append(TokenLogprobs(max(top, key=lambda label: top[label]), top))
        else:
            reason = " ".join([MARK, *rng.choices(WORDS, k=REASON_WORDS)])
            tokens += _certain(reason[: schema.get("maxLength", len(reason))])
        tokens += _certain('"')
    return (*tokens, *_certain("}"))


def _certain(text: str) -> Iterator[TokenLogprobs]:
    return map(_certain_token, _PIECES.findall(text))


@lru_cache(2 * len(WORDS))
def _certain_token(text: str) -> TokenLogprobs:
    return TokenLogprobs(text, {text: 0.0})
