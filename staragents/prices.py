"""What tokens and GPUs cost by the prices of the config: nobody is asked for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from staragents.config import Config

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Bill:
    """What tokens cost, and the time of GPUs."""

    tokens: float = 0.0
    time: float = 0.0

    @property
    def total(self) -> float:
        return self.tokens + self.time


NOTHING = Bill()


class Prices:
    """All amounts are in `run.currency`, which only stands beside them."""

    def __init__(self, config: Config) -> None:
        self.currency = config.run.currency
        self._models = {name: (model.price_in, model.price_out) for name, model in config.models.items()}
        pools = list(_pools(config))
        self.gpus: float = sum(gpus for gpus, _ in pools)
        """GPUs that the pools hold at their least size."""
        self.gpu_hour: float = sum(gpus * price for gpus, price in pools)
        """What an hour of all of them costs."""

    @property
    def known(self) -> bool:
        """There is something to count with."""
        return bool(self.gpu_hour) or any(any(pair) for pair in self._models.values())

    def tokens(self, model: str, tokens_in: float, tokens_out: float) -> float:
        """What it costs that `model` read and wrote so many tokens."""
        price_in, price_out = self._models[model]
        return (tokens_in * price_in + tokens_out * price_out) / MILLION

    def time(self, seconds: float) -> float:
        """What the pools cost in so much time."""
        return self.gpu_hour * seconds / 3600


def _pools(config: Config) -> Iterator[tuple[float, float]]:
    """GPUs of every pool at its least size, and the price of an hour of one."""
    for model in config.models.values():
        yield model.min_replicas * model.num_gpus, model.price_gpu_hour
    for scorer in (config.scoring.target, config.scoring.larger):
        yield scorer.replicas * scorer.num_gpus, scorer.price_gpu_hour


def amount(money: float) -> str:
    """Two decimals, or as many as a small amount needs to say something."""
    return f"{money:,.2f}" if money >= 1 or money == 0 else f"{money:.2g}"
