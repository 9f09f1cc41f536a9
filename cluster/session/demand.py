"""Minimum CPUs, GPUs and memory of a config, with the arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from staragents.config import Config, EngineKind, ModelConfig, ScorerModelConfig
from staragents.models.model_size import GIB, ModelSize, bytes_per_weight, size_of

QUANTISED_BYTES = {"8bit": 1.0, "4bit": 0.5}


def replica_bundles(
    cpus: float, gpus: float, nodes: int, resources: Mapping[str, float]
) -> list[dict[str, float]]:
    """Resource bundles of one replica, by Ray's names; each bundle lies on one node. On several nodes, vLLM
    needs one bundle per GPU."""
    if nodes == 1:
        cards = [{"CPU": cpus, "GPU": gpus, **resources}]
    else:
        card = {"GPU": 1.0, **resources}
        cards = [{"CPU": cpus, **card}, *[card] * (round(gpus) - 1)]
    return [{name: amount for name, amount in card.items() if amount} for card in cards]


@dataclass(frozen=True, slots=True)
class PoolDemand:
    """One pool. `weights` and `kv_cache` are bytes per replica, None if unknown.

    `kv_cache` is the minimum: one sequence of full length.
    """

    name: str
    key: str
    replicas: int
    max_replicas: int
    cpus: float
    gpus: float
    weights: int | None = None
    kv_cache: int | None = None
    memory_share: float = 1.0
    resources: Mapping[str, float] = field(default_factory=dict)
    """Custom resources."""
    nodes: int = 1
    """Nodes that one replica spans, with the same number of GPUs on each."""

    def __str__(self) -> str:
        return f"{self.name}: {self.replicas} x {self.cpus:g} CPU + {self.gpus:g} GPU{self.on_nodes}"

    @property
    def on_nodes(self) -> str:
        return f" on {self.nodes} nodes" if self.nodes > 1 else ""

    @property
    def bundles(self) -> list[dict[str, float]]:
        """Bundles of all replicas at the minimum size."""
        one = replica_bundles(self.cpus, self.gpus, self.nodes, self.resources)
        return [bundle for _ in range(self.replicas) for bundle in one if bundle]

    @property
    def bytes(self) -> int | None:
        return None if self.weights is None else self.weights + (self.kv_cache or 0)

    def explain_bytes(self) -> str:
        kv_cache = f" + KV cache {gib(self.kv_cache)}" if self.kv_cache else ""
        return "unknown" if self.weights is None else f"weights {gib(self.weights)}{kv_cache}"


@dataclass(frozen=True, slots=True)
class Demand:
    """All pools at their minimum size: what must be available before anything starts."""

    pools: tuple[PoolDemand, ...]

    @property
    def cpus(self) -> float:
        return sum(pool.replicas * pool.cpus for pool in self.pools)

    @property
    def gpus(self) -> float:
        return sum(pool.replicas * pool.gpus for pool in self.pools)

    @property
    def most_gpus(self) -> float:
        """GPUs with every pool at its maximum size."""
        return sum(pool.max_replicas * pool.gpus for pool in self.pools)

    def explain(self) -> str:
        return f"the pools need {self.cpus:g} CPUs and {self.gpus:g} GPUs ({', '.join(map(str, self.pools))})"


def demand_of(config: Config) -> Demand:
    """The pools of a config. Reads the headers of local model files, loads no model."""
    models = [_generator(name, model) for name, model in config.models.items()]
    scoring = config.scoring
    workers = PoolDemand("seed workers", "run.workers", config.run.workers, config.run.workers, 1.0, 0.0)
    return Demand(
        (
            *models,
            _scorer("target", scoring.target),
            _scorer("larger", scoring.larger),
            *((workers,) if config.run.workers else ()),
        ),
    )


def gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB" if size >= 0.1 * GIB else f"{size / 2**20:.0f} MiB"


def _generator(name: str, model: ModelConfig) -> PoolDemand:
    pool = PoolDemand(
        name,
        f"models.{name}",
        model.min_replicas,
        model.max_replicas,
        model.num_cpus if model.kind is EngineKind.vllm else 0.0,
        model.num_gpus,
        memory_share=model.memory_share,
        resources=model.resources,
        nodes=model.nodes,
    )
    size = size_of(model.model) if model.kind is EngineKind.vllm else None
    return pool if size is None else _with_bytes(pool, size, model)


def _with_bytes(pool: PoolDemand, size: ModelSize, model: ModelConfig) -> PoolDemand:
    # The cache has a fixed size on a CPU and on a shared GPU; on whole ones it uses what the weights leave.
    sequence = size.kv_bytes_a_token() * model.max_model_len
    kv_cache = sequence if model.num_gpus >= 1 else max(sequence, model.kv_cache_gib * GIB)
    weights = size.weight_bytes(bytes_per_weight(model.dtype, on_gpu=bool(model.num_gpus)))
    return replace(pool, weights=weights, kv_cache=kv_cache)


def _scorer(role: str, model: ScorerModelConfig) -> PoolDemand:
    fake = model.model == "fake"
    size = None if fake else size_of(model.model)
    each = QUANTISED_BYTES.get(model.quantization or "", 2.0 if model.num_gpus else 4.0)
    return PoolDemand(
        f"{role} scorer",
        f"scoring.{role}",
        model.replicas,
        model.most_replicas,
        0.0 if fake else model.num_cpus,
        model.num_gpus,
        None if size is None else size.weight_bytes(each),
        resources=model.resources,
    )
