"""Ends a run before its last seed: limits on tokens, cost or time, or early stopping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from staragents.base.statistics import Z_90
from staragents.config import Config, RunConfig
from staragents.config.prices import NOTHING, Bill, Prices


@dataclass(frozen=True, slots=True)
class Stop:
    """The setting that ends a run, and the number of seeds before the stop."""

    rule: str
    limit: float
    seeds: int
    detail: str


class StopRules:
    """Decides before which seed a run ends, from committed seeds; only `max_minutes` and the GPU price depend
    on time.

    Seeds in flight are always finished. The decision is made before a seed starts and is saved: a resumed run
    ends at the same seed unless its limits, or the prices under `budget`, changed.
    """

    def __init__(self, run: RunConfig, prices: Mapping[str, Any] | None = None) -> None:
        """`prices`: those of the bills, to know when they change."""
        self._limits = {
            "max_tokens": run.max_tokens,
            "budget": run.budget,
            "max_minutes": run.max_minutes,
            "patience": run.patience,
        }
        self._prices = prices if run.budget is not None else None
        self._run = run
        self._seeds = 0
        self._tokens = 0
        # Sum and sum of squares of the rewards in the current block and in the previous one.
        self._block = [0.0, 0.0]
        self._before: list[float] | None = None
        self._flat = ""
        self.changed = False
        """Whether the limits, or the prices under `budget`, differ from those of the restored state."""
        self.stop: Stop | None = None

    def observe(self, tokens: int, reward: float) -> None:
        """Record a committed seed: tokens of all its candidates and reward of the chosen one (0 if none)."""
        self._seeds += 1
        self._tokens += tokens
        if self._run.patience is None:
            return
        self._block = [self._block[0] + reward, self._block[1] + reward * reward]
        if self._seeds % self._run.patience == 0:
            if self._before is not None:
                self._flat = self._no_rise(self._before, self._block, self._run.patience)
            self._before, self._block = self._block, [0.0, 0.0]

    def decide(self, number: int, seconds: float, bill: Bill = NOTHING) -> None:
        """Decide whether seed `number`, from 0, may start after `seconds` of running time and a cost of
        `bill`."""
        if self.stop is None and self._seeds:
            self.stop = self._decided(number, seconds, bill)

    def stops(self, number: int) -> bool:
        """Whether an earlier decision stops seed `number`."""
        return self.stop is not None and number >= self.stop.seeds

    def state(self) -> dict[str, Any]:
        return {
            "limits": self._limits,
            "prices": self._prices,
            "seeds": self._seeds,
            "tokens": self._tokens,
            "block": self._block,
            "before": self._before,
            "flat": self._flat,
            "stop": asdict(self.stop) if self.stop else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a saved state. If limits or prices changed, the saved decision is discarded."""
        self._seeds, self._tokens = state["seeds"], state["tokens"]
        prices = state.get("prices", self._prices)
        self.changed = (state["limits"], prices) != (self._limits, self._prices)
        if state["limits"]["patience"] == self._run.patience:
            self._block, self._before, self._flat = state["block"], state["before"], state.get("flat", "")
        if not self.changed and state["stop"]:
            self.stop = Stop(**state["stop"])

    def _decided(self, number: int, seconds: float, bill: Bill) -> Stop | None:
        run = self._run
        # Seeds in flight count at the mean cost so far; otherwise a run would overshoot by all of them.
        if run.max_tokens is not None and self._tokens / self._seeds * (number + 1) > run.max_tokens:
            return Stop("run.max_tokens", run.max_tokens, number, "the next seed would exceed it")
        if run.budget is not None and bill.tokens / self._seeds * (number + 1) + bill.time > run.budget:
            return Stop("run.budget", run.budget, number, "the next seed would exceed it")
        if run.max_minutes is not None and seconds >= 60 * run.max_minutes:
            return Stop("run.max_minutes", run.max_minutes, number, "the time is up")
        if run.patience is not None and self._flat:
            return Stop("run.patience", run.patience, number, self._flat)
        return None

    @staticmethod
    def _no_rise(before: list[float], block: list[float], size: int) -> str:
        (mean_before, variance_before), (mean, variance) = (
            (total / size, max(0.0, squares / size - (total / size) ** 2))
            for total, squares in (before, block)
        )
        half = Z_90 * math.sqrt((variance_before + variance) / size)
        if mean - mean_before > half:
            return ""
        return (
            f"the mean reward of {size} seeds, {mean:.3f}, is not above that of the {size} before, "
            f"{mean_before:.3f}, by more than {half:.3f}"
        )


def stop_rules(config: Config) -> StopRules:
    return StopRules(config.run, Prices(config).as_dict())


def stopped_before(config: Config, state: Mapping[str, Any]) -> Stop | None:
    """The rule that ended the run with this saved state, if it still applies."""
    if saved := state.get("stopping"):
        rules = stop_rules(config)
        rules.restore(saved)
        if rules.stops(state["cursor"]):
            return rules.stop
    return None
