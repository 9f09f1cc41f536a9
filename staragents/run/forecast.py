"""Estimates a run's tokens, time and cost from the rates of an earlier run or a preview."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from staragents.base.errors import BadInput
from staragents.config import Config, EngineKind
from staragents.config.prices import Bill, Prices, amount
from staragents.run_directory.run_directory import RunDirectory
from staragents.text.clock import clock

REAL = (EngineKind.vllm, EngineKind.openai)


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of an earlier run: tokens per candidate, judging included, and candidates per second. `by_model`
    has the prompt and generated tokens per candidate by model; summaries of older versions lack it."""

    run: str
    candidates: int
    tokens_in: float
    tokens_out: float
    candidates_per_second: float
    models: dict[str, str]
    by_model: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, path: Path) -> Rates:
        """Raises BadInput unless the folder is a finished or stopped run with at least one candidate."""
        summary = RunDirectory(path).summary()
        if summary is None:
            raise BadInput(f"--like: expected the directory of a run that ended or was stopped, got {path}")
        rates = cls.measured(str(path), summary)
        if rates is None:
            raise BadInput(f"--like: {path} has no finished candidate to measure")
        return rates

    @classmethod
    def measured(cls, run: str, summary: dict[str, Any]) -> Rates | None:
        """The rates in a summary; `run` is its label. None if it contains no finished candidate."""
        drawn, cost = summary["funnel"]["drawn"], summary["cost"]
        if not drawn or not cost["wall_seconds"]:
            return None
        return cls(
            run,
            drawn,
            cost["tokens_in"] / drawn,
            cost["tokens_out"] / drawn,
            drawn / cost["wall_seconds"],
            summary["run"].get("models", {}),
            {
                name: (counts["tokens_in"] / drawn, counts["tokens_out"] / drawn)
                for name, counts in summary["run"].get("ledger", {}).get("models", {}).items()
            },
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """The estimate for a whole run. Values that need a measured rate are None without one."""

    seeds: int
    candidates: int
    most_tokens_out: int
    """Generated tokens if every rewrite and answer reached its maximum length; without the judge's."""
    most_reasoning: int
    """What the agents' models may think at most beside that, if all of them think."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float | None = None
    gpu_hours: float | None = None
    money: Bill | None = None
    """Also None without prices, or if a model is missing from the earlier run."""
    currency: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self, rates: Rates | None) -> list[str]:
        """The forecast as lines of text."""
        found = [f"{self.seeds:,} seeds make {self.candidates:,} candidates"]
        if rates is None or self.seconds is None:
            thoughts = f" ({self.most_reasoning:,} more if all models think)" if self.most_reasoning else ""
            found.append(f"tokens: at most {self.most_tokens_out:,} out{thoughts}, plus the judge's")
            found.append("time: unknown without a measured rate; give --like RUN")
            return found
        found.append(
            f"tokens: about {self.tokens_in:,} in and {self.tokens_out:,} out "
            f"({rates.tokens_in:.0f} and {rates.tokens_out:.0f} per candidate in {rates.run})"
        )
        found.append(
            f"time: about {clock(round(self.seconds))} at "
            f"{rates.candidates_per_second:.2f} candidates/s, the rate of {rates.run} with its pools; "
            f"{self.gpu_hours:.2f} GPU-hours"
        )
        if self.money is not None:
            parts = f"tokens {amount(self.money.tokens)}, GPUs {amount(self.money.time)}"
            found.append(f"money: about {amount(self.money.total)} {self.currency} ({parts})")
        return found


def forecast(config: Config, seeds: int, gpus: float, rates: Rates | None) -> Forecast:
    """`gpus` is the number of GPUs of the run. Time assumes the earlier run's rate, whatever its pools."""
    candidates = seeds * config.candidates_per_seed
    agents = config.agents
    pairs = [(agents.instruction[i], agents.response[r]) for i, r in config.factors.values()]
    asked = [agent for pair in pairs for agent in pair if agent.model]
    most = round(candidates * sum(agent.max_tokens for agent in asked) / len(pairs))
    models = [config.models[agent.model] for agent in asked]
    # A fake or recorded model says what it does, while `auto` is known only once the model is loaded.
    budgets = sum(model.thinking_budget for model in models if model.kind in REAL or model.fake.thinks)
    reasoning = round(candidates * budgets / len(pairs))
    if rates is None:
        return Forecast(seeds, candidates, most, reasoning)
    seconds = candidates / rates.candidates_per_second
    prices, money = Prices(config), None
    if prices.known and set(rates.by_model) >= set(config.models):
        tokens = sum(prices.tokens(name, *rates.by_model[name]) for name in config.models)
        money = Bill(candidates * tokens, prices.time(seconds))
    return Forecast(
        seeds,
        candidates,
        most,
        reasoning,
        round(candidates * rates.tokens_in),
        round(candidates * rates.tokens_out),
        round(seconds, 1),
        round(gpus * seconds / 3600, 3),
        money,
        prices.currency,
    )
