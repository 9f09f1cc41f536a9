"""A seed between its draw and its commit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from staragents.base.records import Candidate, Seed
from staragents.evolution.policy import Draw, DrawContext
from staragents.run_directory.salvage import is_settled


@dataclass(slots=True)
class Admitted:
    """A seed whose pairs are drawn. Without a task while the run drains: only its draw is saved."""

    seed: Seed
    draws: list[Draw]
    context: DrawContext
    task: asyncio.Future[list[Candidate]] | None = None
    saved: bool = False
    """Whether its candidates are saved before their commit."""

    @property
    def early(self) -> list[Candidate] | None:
        """Its candidates, if they are finished and must be saved before their commit."""
        task = self.task
        if self.saved or task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return candidates if is_settled(candidates := task.result()) else None

    def state(self) -> dict[str, Any]:
        return {
            "seed_id": self.seed.seed_id,
            "draws": [[d.pair, d.propensity] for d in self.draws],
            **self.context.state(),
        }
