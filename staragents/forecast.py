"""How many tokens and how much time a run will take, from the settings and from what an earlier run took."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from staragents.config import Config
from staragents.errors import BadInput
from staragents.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Rates:
    """What an earlier run measured: tokens of a candidate, judging included, and candidates a second."""

    run: str
    candidates: int
    tokens_in: float
    tokens_out: float
    candidates_per_second: float
    models: dict[str, str]

    @classmethod
    def of(cls, path: Path) -> Rates:
        """Raises BadInput if the folder is no run that ended or was stopped with something done."""
        summary = RunDirectory(path).summary()
        if summary is None:
            raise BadInput(f"--like: expected the directory of a run that ended or was stopped, got {path}")
        drawn, cost = summary["funnel"]["drawn"], summary["cost"]
        if not drawn or not cost["wall_seconds"]:
            raise BadInput(f"--like: {path} has no finished candidate to measure by")
        return cls(
            str(path),
            drawn,
            cost["tokens_in"] / drawn,
            cost["tokens_out"] / drawn,
            drawn / cost["wall_seconds"],
            summary["run"].get("models", {}),
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

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


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
    return Forecast(
        seeds,
        candidates,
        most,
        round(candidates * rates.tokens_in),
        round(candidates * rates.tokens_out),
        round(seconds, 1),
        round(gpus * seconds / 3600, 3),
    )
