"""Token counts and cost of a run's committed candidates, by model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from staragents.base.records import Candidate, Stage
from staragents.config import Config
from staragents.config.prices import Bill, Prices


class Ledger:
    """Stores token counts and derives costs from them, so that new prices also apply to earlier work."""

    def __init__(self, config: Config) -> None:
        self.prices = Prices(config)
        self._models = {
            Stage.rewrite: {name: agent.model for name, agent in config.agents.instruction.items()},
            Stage.answer: {name: agent.model for name, agent in config.agents.response.items()},
        }
        self._judge = config.judge.model
        base = config.agents.base_pairs[:1]
        self._baseline = config.agents.response[config.factors[base[0]][1]].model if base else ""
        self._tokens: dict[str, list[int]] = {name: [0, 0] for name in config.models}
        self._thought: Counter[str] = Counter()

    def add(self, candidates: Iterable[Candidate]) -> None:
        for candidate in candidates:
            for stage, (tokens_in, tokens_out) in candidate.tokens_by_stage().items():
                counts = self._tokens[self._model(candidate, stage)]
                counts[0] += tokens_in
                counts[1] += tokens_out
            for stage, tokens in candidate.thought_by_stage().items():
                self._thought[self._model(candidate, stage)] += tokens

    def bill(self, seconds: float) -> Bill:
        """The total cost after `seconds` of running time."""
        tokens = sum(self.prices.tokens(name, *counts) for name, counts in self._tokens.items())
        return Bill(tokens, self.prices.time(seconds))

    def as_dict(self, seconds: float) -> dict[str, Any]:
        """For status, summary and report. Without prices, `money` is None."""
        return {
            "models": {
                name: {"tokens_in": counts[0], "tokens_out": counts[1], **self._thoughts(name)}
                for name, counts in self._tokens.items()
            },
            "gpu_hours": round(self.prices.gpus * seconds / 3600, 4),
            "money": self.bill(seconds).total if self.prices.known else None,
            "currency": self.prices.currency,
        }

    def state(self) -> dict[str, Any]:
        """Tokens in, out and, if there were any, thought (part of those out), by model."""
        return {name: [*counts, *self._thoughts(name).values()] for name, counts in self._tokens.items()}

    def restore(self, state: dict[str, Any]) -> None:
        self._tokens |= {name: list(counts[:2]) for name, counts in state.items()}
        self._thought.update({name: counts[2] for name, counts in state.items() if len(counts) > 2})

    def _thoughts(self, model: str) -> dict[str, int]:
        return {"reasoning_tokens": self._thought[model]} if self._thought[model] else {}

    def _model(self, candidate: Candidate, stage: str) -> str:
        if stage == Stage.rewrite:
            return self._models[Stage.rewrite][candidate.instruction_agent]
        if stage == Stage.answer:
            return self._models[Stage.answer][candidate.response_agent]
        return self._baseline if stage == Stage.baseline else self._judge
