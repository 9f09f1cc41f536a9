"""A judge beside a run: compares many pairs of conversations, a batch at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import islice
from typing import TypeVar

from actors.generator_client import GeneratorClient
from actors.judging import Unreadable, verdict_on
from staragents.agents.verdict import Verdict
from staragents.base.errors import EngineError, PromptTooLong
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.messages import Conversation
from staragents.config import Config, JudgeConfig

BATCH_SIZE = 256
Item = TypeVar("Item")


class BatchedJudge:
    """Asks the judge of `settings`, in the orders that these say."""

    def __init__(self, config: Config, settings: JudgeConfig, generators: GeneratorClient) -> None:
        self._config = config
        self._settings = settings
        self._generators = generators
        self.failure: str | None = None
        """Why the first request that failed did so."""

    async def verdicts(
        self, items: Iterable[Item], compared: Callable[[Item], tuple[str, Conversation, Conversation]]
    ) -> AsyncIterator[tuple[Item, Verdict | Unreadable | None]]:
        """Each item, in order, with its verdict; None if a request failed. `compared`: an id of the
        comparison, the candidate and what it is compared with. One that does not fit into the judge's context
        is unreadable, as no later request about it can succeed."""
        rest = iter(items)
        while batch := list(islice(rest, BATCH_SIZE)):
            found = await asyncio.gather(*(self._verdict(*compared(item)) for item in batch))
            for item, verdict in zip(batch, found, strict=True):
                yield item, verdict

    async def _verdict(
        self, comparison_id: str, candidate: Conversation, baseline: Conversation
    ) -> Verdict | Unreadable | None:
        too_long: list[Unreadable] = []

        async def ask(model: str, request: GenerationRequest) -> Generation | None:
            try:
                return await self._generators.generate(model, request)
            except PromptTooLong as error:
                too_long.append(Unreadable(f"the comparison is too long for the judge ({error})"))
            except EngineError as error:
                self.failure = self.failure or str(error)
            return None

        verdict = await verdict_on(comparison_id, candidate, baseline, self._settings, self._config, ask)
        return too_long[0] if too_long else verdict
