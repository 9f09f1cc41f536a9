"""The cost of tokens and GPUs by the prices in the config."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from staragents.config import Config

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Bill:
    """The cost of tokens and of GPU time."""

    tokens: float = 0.0
    time: float = 0.0

    @property
    def total(self) -> float:
        return self.tokens + self.time


NOTHING = Bill()


class Prices:
    """All amounts are in `run.currency`, which is only a label."""

    def __init__(self, config: Config) -> None:
        self.currency = config.run.currency
        self._models = {name: (model.price_in, model.price_out) for name, model in config.models.items()}
        pools = list(_pools(config))
        self.gpus: float = sum(gpus for gpus, _ in pools)
        """Number of GPUs of all pools at minimum size."""
        self.gpu_hour: float = sum(gpus * price for gpus, price in pools)
        """Price of an hour of all these GPUs."""

    @property
    def known(self) -> bool:
        """Whether the config has any price."""
        return bool(self.gpu_hour) or any(any(pair) for pair in self._models.values())

    def as_dict(self) -> dict[str, Any]:
        """All that turns tokens and time into money. Models that cost nothing are left out, so that adding
        one changes nothing."""
        return {
            "tokens": {name: list(pair) for name, pair in self._models.items() if any(pair)},
            "gpu_hour": self.gpu_hour,
        }

    def tokens(self, model: str, tokens_in: float, tokens_out: float) -> float:
        """The cost of prompt and generated tokens of `model`."""
        price_in, price_out = self._models[model]
        return (tokens_in * price_in + tokens_out * price_out) / MILLION

    def time(self, seconds: float) -> float:
        """The cost of the pools for `seconds`."""
        return self.gpu_hour * seconds / 3600


def _pools(config: Config) -> Iterator[tuple[float, float]]:
    """GPUs of each pool at minimum size and the hourly price of one GPU."""
    for model in config.models.values():
        yield model.min_replicas * model.num_gpus, model.price_gpu_hour
    for scorer in (config.scoring.target, config.scoring.larger):
        yield scorer.replicas * scorer.num_gpus, scorer.price_gpu_hour


def amount(money: float) -> str:
    """Two decimals, or two significant digits for an amount below 1."""
    return f"{money:,.2f}" if money >= 1 or money == 0 else f"{money:.2g}"
