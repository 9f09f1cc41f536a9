"""The judge of an evaluation: compares what students answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

from actors.generator_client import GeneratorClient
from actors.judging import Unreadable, verdict_on
from staragents.agents.judge import Verdict
from staragents.base.errors import EngineError
from staragents.base.generation import Generation, GenerationRequest
from staragents.config import Config
from staragents.evaluation.answer_pair import AnswerPair

BATCH_SIZE = 256


class AnswerJudge:
    """Asks the judge of `config`, in the orders that its section `judge` says."""

    def __init__(self, config: Config, generators: GeneratorClient) -> None:
        self._config = config
        self._generators = generators
        self.failure: str | None = None
        """Why the first request that failed did so."""

    async def verdicts(self, pairs: Sequence[AnswerPair]) -> dict[str, Verdict | Unreadable]:
        """By `pair_id`. Pairs whose requests failed are missing."""
        found: dict[str, Verdict | Unreadable] = {}
        rest = iter(pairs)
        while batch := list(islice(rest, BATCH_SIZE)):
            said = await asyncio.gather(*(self._verdict(pair) for pair in batch))
            found |= {pair.pair_id: one for pair, one in zip(batch, said, strict=True) if one is not None}
        return found

    async def _verdict(self, pair: AnswerPair) -> Verdict | Unreadable | None:
        return await verdict_on(
            pair.pair_id, pair.candidate, pair.baseline, self._config.judge, self._config, self._ask
        )

    async def _ask(self, model: str, request: GenerationRequest) -> Generation | None:
        try:
            return await self._generators.generate(model, request)
        except EngineError as error:
            self.failure = self.failure or str(error)
            return None
