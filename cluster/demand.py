"""What a config needs at least, in CPUs and GPUs, with the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from staragents.config import Config, EngineKind


@dataclass(frozen=True, slots=True)
class Demand:
    """Sums over the smallest size of every pool; `parts` says who needs what."""

    cpus: float
    gpus: float
    parts: tuple[str, ...]

    def explain(self) -> str:
        return f"the pools need {self.cpus:g} CPUs and {self.gpus:g} GPUs ({', '.join(self.parts)})"


def demand_of(config: Config) -> Demand:
    """What must be there before anything starts; pools may grow beyond it later."""
    parts: list[str] = []
    cpus = gpus = 0.0
    pools = [
        (name, m.min_replicas, m.num_cpus if m.kind is EngineKind.vllm else 0.0, m.num_gpus)
        for name, m in config.models.items()
    ] + [
        (role, m.replicas, 0.0 if m.model == "fake" else m.num_cpus, m.num_gpus)
        for role, m in (("target scorer", config.scoring.target), ("larger scorer", config.scoring.larger))
    ]
    for name, replicas, pool_cpus, pool_gpus in pools:
        cpus += replicas * pool_cpus
        gpus += replicas * pool_gpus
        parts.append(f"{name}: {replicas} x {pool_cpus:g} CPU + {pool_gpus:g} GPU")
    return Demand(cpus, gpus, tuple(parts))
