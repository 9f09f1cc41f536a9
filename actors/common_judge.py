"""The common judge of a comparison: compares the chosen rows of all variants with their seeds."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable
from functools import partial
from itertools import islice

from actors.generator_client import GeneratorClient
from actors.judging import verdict_on
from staragents.agents.judge import Verdict
from staragents.base.errors import EngineError
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.records import Candidate
from staragents.config import Baseline, Compare, Config, Verdicts

BATCH_SIZE = 256


class CommonJudge:
    """Probability that the judge prefers a row to its seed, as a pair, in both orders.

    Requests that a variant's own judge already answered come from the shared cache.
    """

    def __init__(self, config: Config, model: str, generators: GeneratorClient) -> None:
        self._config = config
        self._settings = dataclasses.replace(
            config.judge,
            model=model,
            verdict=Verdicts.soft,
            baseline=Baseline.seed,
            compare=Compare.pair,
            both_orders=True,
        )
        self._generators = generators

    async def wins(self, chosen: Iterable[tuple[int, Candidate]]) -> dict[int, float | None]:
        """By index of the seed; None if the judge gave no readable verdict."""
        found: dict[int, float | None] = {}
        rest = iter(chosen)
        while batch := list(islice(rest, BATCH_SIZE)):
            wins = await asyncio.gather(*(self._win(candidate) for _, candidate in batch))
            found |= {index: win for (index, _), win in zip(batch, wins, strict=True)}
        return found

    async def _win(self, candidate: Candidate) -> float | None:
        verdict = await verdict_on(
            candidate.candidate_id,
            candidate.messages,
            candidate.seed_messages,
            self._settings,
            self._config,
            partial(ask_or_none, self._generators),
        )
        return verdict.win if isinstance(verdict, Verdict) else None


async def ask_or_none(
    generators: GeneratorClient, model: str, request: GenerationRequest
) -> Generation | None:
    """The model's answer; None if the request failed."""
    try:
        return await generators.generate(model, request)
    except EngineError:
        return None
