"""How many tokens, how much time and money a run will take, from what an earlier run or a preview took."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from staragents.config import Config
from staragents.errors import BadInput
from staragents.prices import Bill, Prices, amount
from staragents.run_directory.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Rates:
    """What an earlier run measured: tokens of a candidate, judging included, and candidates a second.
    `by_model` has the tokens in and out of a candidate by model; earlier versions of us don't say."""

    run: str
    candidates: int
    tokens_in: float
    tokens_out: float
    candidates_per_second: float
    models: dict[str, str]
    by_model: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, path: Path) -> Rates:
        """Raises BadInput if the folder is no run that ended or was stopped with something done."""
        summary = RunDirectory(path).summary()
        if summary is None:
            raise BadInput(f"--like: expected the directory of a run that ended or was stopped, got {path}")
        rates = cls.measured(str(path), summary)
        if rates is None:
            raise BadInput(f"--like: {path} has no finished candidate to measure by")
        return rates

    @classmethod
    def measured(cls, run: str, summary: dict[str, Any]) -> Rates | None:
        """By a summary; `run` is what to call it. None if there is no finished candidate in it."""
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
    """Of a whole run. What only a measurement can tell is None without one."""

    seeds: int
    candidates: int
    most_tokens_out: int
    """If every rewrite and answer were as long as it may be; the judge's are not in it."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float | None = None
    gpu_hours: float | None = None
    money: Bill | None = None
    """None without prices, too, and if a model has another name in the earlier run."""
    currency: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self, rates: Rates | None) -> list[str]:
        """In words, a line each."""
        found = [f"{self.seeds:,} seeds make {self.candidates:,} candidates"]
        if rates is None or self.seconds is None:
            found.append(f"tokens: at most {self.most_tokens_out:,} out, and the judge's")
            found.append("time: not known without a measured rate; give --like RUN")
            return found
        seconds = round(self.seconds)
        found.append(
            f"tokens: about {self.tokens_in:,} in and {self.tokens_out:,} out "
            f"({rates.tokens_in:.0f} and {rates.tokens_out:.0f} a candidate in {rates.run})"
        )
        found.append(
            f"time: about {seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} at "
            f"{rates.candidates_per_second:.2f} candidates/s, as {rates.run} had with its pools; "
            f"{self.gpu_hours:.2f} GPU-hours"
        )
        if self.money is not None:
            parts = f"tokens {amount(self.money.tokens)}, GPUs {amount(self.money.time)}"
            found.append(f"money: about {amount(self.money.total)} {self.currency} ({parts})")
        return found


def forecast(config: Config, seeds: int, gpus: float, rates: Rates | None) -> Forecast:
    """`gpus`: those the run will hold. Time is the earlier run's rate, whatever pools it had."""
    others = len(config.pairs) - len(config.agents.base_pairs)
    candidates = seeds * (len(config.agents.base_pairs) + min(config.evolution.draws, others))
    agents = config.agents
    lengths = [
        (agents.instruction[i].max_tokens if agents.instruction[i].model else 0)
        + agents.response[r].max_tokens
        for i, r in config.factors.values()
    ]
    most = round(candidates * sum(lengths) / len(lengths))
    if rates is None:
        return Forecast(seeds, candidates, most)
    seconds = candidates / rates.candidates_per_second
    prices, money = Prices(config), None
    if prices.known and set(rates.by_model) >= set(config.models):
        tokens = sum(prices.tokens(name, *rates.by_model[name]) for name in config.models)
        money = Bill(candidates * tokens, prices.time(seconds))
    return Forecast(
        seeds,
        candidates,
        most,
        round(candidates * rates.tokens_in),
        round(candidates * rates.tokens_out),
        round(seconds, 1),
        round(gpus * seconds / 3600, 3),
        money,
        prices.currency,
    )
