"""Ask a judge, with retries while its verdict is unreadable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from staragents.agents import judge
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.messages import Conversation
from staragents.config import Config, JudgeConfig

Ask = Callable[[str, GenerationRequest], Awaitable[Generation | None]]
"""Takes model and request; returns None if the request failed."""


async def verdict_on(
    candidate_id: str,
    candidate: Conversation,
    baseline: Conversation,
    settings: JudgeConfig,
    config: Config,
    ask: Ask,
) -> judge.Verdict | None:
    """The verdict of `settings.model` in all orders; None if it stays unreadable or a request failed.

    A candidate identical to the baseline is a tie; the judge is not asked.
    """
    if judge.is_identical(candidate, baseline):
        return judge.TIE
    for attempt in range(1 + settings.retries):
        requests = judge.judge_requests(
            settings,
            config.models[settings.model],
            candidate_id,
            candidate,
            baseline,
            attempt,
            config.run.deadline_s,
            config.run.seed,
        )
        answers = await asyncio.gather(*(ask(settings.model, request) for request in requests))
        if any(answer is None for answer in answers):
            return None
        verdict = judge.combine([judge.parse_verdict(a, settings) for a in answers if a], settings)
        if verdict is not None:
            return verdict
    return None
