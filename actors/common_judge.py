"""The common judge of a comparison: compares the chosen rows of all variants with their seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from actors.batched_judge import BatchedJudge
from actors.generator_client import GeneratorClient
from staragents.agents.verdict import Verdict
from staragents.base.messages import Conversation
from staragents.base.records import Candidate
from staragents.config import Baseline, Compare, Config, Verdicts


class CommonJudge:
    """Probability that the judge prefers a row to its seed, as a pair, in both orders.

    Requests that a variant's own judge already answered come from the shared cache.
    """

    def __init__(self, config: Config, model: str, generators: GeneratorClient) -> None:
        settings = dataclasses.replace(
            config.judge,
            model=model,
            verdict=Verdicts.soft,
            baseline=Baseline.seed,
            compare=Compare.pair,
            both_orders=True,
        )
        self._judge = BatchedJudge(config, settings, generators)

    async def wins(self, chosen: Iterable[tuple[int, Candidate]]) -> dict[int, float | None]:
        """By index of the seed; None if the judge gave no readable verdict."""
        return {
            index: verdict.win if isinstance(verdict, Verdict) else None
            async for (index, _), verdict in self._judge.verdicts(chosen, _compared)
        }


def _compared(chosen: tuple[int, Candidate]) -> tuple[str, Conversation, Conversation]:
    candidate = chosen[1]
    return candidate.candidate_id, candidate.messages, candidate.seed_messages
