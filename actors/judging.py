"""Ask a judge, with retries while its verdict is unreadable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from staragents.agents.judge_requests import judge_requests
from staragents.agents.order_verdict import parse_verdict
from staragents.agents.rejects import thought_cut_off
from staragents.agents.verdict import STILL_THINKING, TIE, Verdict, combine, is_identical
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.messages import Conversation
from staragents.base.redaction import redacted
from staragents.config import Config, JudgeConfig
from staragents.text.printable import one_line

Ask = Callable[[str, GenerationRequest], Awaitable[Generation | None]]
"""Takes model and request; returns None if the request failed."""

SHOWN = 160
"""Characters of an unreadable answer that are shown."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """There is no readable verdict, and asking again would not change that: the judge's answer has none, or
    the comparison is too long for it. `message` says why."""

    message: str

    @classmethod
    def of(cls, answer: Generation) -> Unreadable:
        if thought_cut_off(answer):
            return cls(f"{STILL_THINKING}: {_shown(answer.reasoning)}")
        if answer.finish_reason == "content_filter":
            return cls("the server's content filter stopped the verdict")
        if not answer.text.strip() and answer.reasoning.strip():
            return cls(f"the judge answered nothing after its thought: {_shown(answer.reasoning)}")
        return cls(f"no verdict in the judge's answer: {_shown(answer.text)}")


async def verdict_on(
    candidate_id: str,
    candidate: Conversation,
    baseline: Conversation,
    settings: JudgeConfig,
    config: Config,
    ask: Ask,
) -> Verdict | Unreadable | None:
    """The verdict of `settings.model` in all orders; None if a request failed.

    A candidate identical to the baseline is a tie; the judge is not asked.
    """
    if is_identical(candidate, baseline):
        return TIE
    unreadable: Unreadable | None = None
    for attempt in range(1 + settings.retries):
        requests = judge_requests(
            settings,
            config.models[settings.model],
            candidate_id,
            candidate,
            baseline,
            attempt,
            config.run.deadline_s,
            config.run.seed,
        )
        answers = await _answers(requests, partial(ask, settings.model))
        known = [answer for answer in answers if answer is not None]
        if len(known) < len(answers):
            return None
        read = [parse_verdict(answer, settings) for answer in known]
        verdict = combine(read, settings)
        if verdict is not None:
            return verdict
        unreadable = unreadable or Unreadable.of(known[read.index(None)])
    return unreadable


async def _answers(
    requests: Sequence[GenerationRequest], ask: Callable[[GenerationRequest], Awaitable[Generation | None]]
) -> list[Generation | None]:
    """Asks all at the same time; the first without a task of its own."""
    others = [asyncio.ensure_future(ask(request)) for request in requests[1:]]
    try:
        return [await ask(requests[0]), *[await other for other in others]]
    finally:
        for other in others:
            other.cancel()


def _shown(text: str) -> str:
    """The beginning of a model's text as one line, without secrets."""
    line = one_line(redacted(text[: 4 * SHOWN]))
    return f"{line[:SHOWN]}..." if len(line) > SHOWN else line or "nothing"
