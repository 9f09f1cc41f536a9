"""The state of a run after its committed seeds, saved and restored as a whole."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from actors.admitted import Admitted
from actors.failure_rules import FailureRules
from actors.progress import Progress
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.evolution.drawn_pairs import SAVED, DrawnPairs, continued, drawn_pairs_of, with_kept
from staragents.evolution.evolution import Committed, Evolution
from staragents.run.ledger import Ledger
from staragents.run.stopping import stop_rules


class CommittedState:
    """Policy, counters, costs, stop rules and running time. A checkpoint has all of it."""

    def __init__(self, config: Config, seeds: int) -> None:
        """Of a new run with `seeds` seeds."""
        self._config = config
        self.evolution = Evolution(config, config.pairs, total_seeds=seeds)
        self._drawn_pairs = [DrawnPairs.of(config)]
        self._changes_pairs = False
        """Whether this process draws from other pairs than the one before."""
        self.progress = Progress(total_seeds=seeds)
        self.stopping = stop_rules(config)
        self.cursor = self.resumed_at = 0
        """Numbers of committed seeds: now, and when this process began."""
        self._budget = config.run.budget
        self._ledger = Ledger(config)
        self._failing = FailureRules(config, seeds, self.progress)
        self._seconds_before = 0.0
        self._started = time.monotonic()

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned in an earlier process. A run that commits its seeds again after a
        repair has only its running time, where it ends and which pairs it drew from."""
        self.cursor = self.resumed_at = state["cursor"]
        self._seconds_before = state.get("seconds", 0.0)
        if "stopping" in state:
            self.stopping.restore(state["stopping"])
        self._drawn_pairs = continued(state, self._config)
        self._changes_pairs = len(self._drawn_pairs) > max(1, len(drawn_pairs_of(state)))
        if "evolution" not in state:
            return
        self.evolution.restore(state["evolution"])
        self.progress.restore(state["progress"])
        self._failing.resume()
        self._ledger.restore(state["ledger"])

    def commit(self, admitted: Admitted, candidates: list[Candidate]) -> Committed:
        """Commit all candidates of the next seed."""
        committed = self.evolution.commit(candidates)
        chosen = committed.chosen
        self.progress.commit(candidates, chosen, hit=bool(admitted.context.outcomes))
        self._failing.observe(candidates)
        self.stopping.observe(
            sum(candidate.tokens for candidate in candidates),
            (chosen.reward or 0.0) if chosen is not None else 0.0,
        )
        self._ledger.add(candidates)
        self.cursor += 1
        return committed

    def keep_draw(self, number: int) -> None:
        """Seed `number`, from 0, was finished by an earlier process, and keeps its draw."""
        if self._changes_pairs:
            self._drawn_pairs = with_kept(self._drawn_pairs, number)

    def decide(self, number: int) -> None:
        """Decide whether seed `number`, from 0, may still start."""
        self.stopping.decide(number, self.seconds, self._ledger.bill(self.seconds))

    @property
    def broken(self) -> str:
        """Why the run must fail, or an empty string."""
        return self._failing.reason()

    @property
    def seconds(self) -> float:
        """Running time, that of earlier processes included."""
        return self._seconds_before + self.seconds_here

    @property
    def seconds_here(self) -> float:
        return time.monotonic() - self._started

    def state(self) -> dict[str, Any]:
        return {
            "cursor": self.cursor,
            "evolution": self.evolution.state(),
            SAVED: [one.state() for one in self._drawn_pairs],
            "progress": self.progress.state(),
            "stopping": self.stopping.state(),
            "ledger": self._ledger.state(),
            "seconds": self.seconds,
        }

    def facts(self) -> dict[str, Any]:
        """For summary.json."""
        stop = self.stopping.stop
        return {
            "stopped": asdict(stop) if stop is not None and self.stopping.stops(self.cursor) else None,
            "wall_seconds": self.seconds,
            "loop_seconds": self.seconds_here,
            "ledger": self._ledger.as_dict(self.seconds),
            "memory": self.progress.memory(),
        }

    def ledger(self) -> dict[str, Any]:
        """Tokens and cost so far, and the budget, for the status."""
        return {**self._ledger.as_dict(self.seconds), "budget": self._budget}
