"""What vLLM is started with on a CPU, on a part of a GPU and on several."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.engines.core_log import CoreLog
from actors.engines.vllm_engine import VllmEngine
from staragents.config import ModelConfig
from staragents.models.model_size import GIB


def arguments(**settings: Any) -> dict[str, Any]:
    engine = VllmEngine(ModelConfig(model="org/name", **settings), "org/name")
    engine._thinking = SimpleNamespace(engine_args={})  # type: ignore[assignment]
    return engine._engine_args()


@pytest.mark.parametrize(
    ("num_gpus", "nodes", "split", "backend"),
    [(0.0, 1, 1, "uni"), (0.3, 1, 1, "uni"), (1.0, 1, 1, "uni"), (4.0, 1, 4, "mp"), (16.0, 2, 8, "ray")],
)
def test_a_replica_is_split_over_the_gpus_of_a_node(
    num_gpus: float, nodes: int, split: int, backend: str
) -> None:
    found = arguments(num_gpus=num_gpus, nodes=nodes)
    assert (found["tensor_parallel_size"], found["pipeline_parallel_size"]) == (split, nodes)
    assert found["distributed_executor_backend"] == backend


@pytest.mark.parametrize("num_gpus", [0.0, 0.3, 1.0])
def test_only_a_cpu_does_without_chunked_prefill(num_gpus: float) -> None:
    """A part of a GPU had the arguments for a CPU."""
    assert ("enable_chunked_prefill" in arguments(num_gpus=num_gpus)) == (not num_gpus)


def test_engines_on_one_gpu_have_caches_of_the_given_size_and_measure_nothing() -> None:
    """vLLM's measurement counts what others load meanwhile."""
    shared = arguments(num_gpus=0.3, kv_cache_gib=2)
    assert shared["kv_cache_memory_bytes"] == 2 * GIB
    assert shared["gpu_memory_utilization"] == 0.3
    assert arguments(num_gpus=0.3, engine_args={"kv_cache_memory_bytes": 7})["kv_cache_memory_bytes"] == 7
    whole = arguments(num_gpus=1.0, kv_cache_gib=2)
    assert "kv_cache_memory_bytes" not in whole
    assert whole["gpu_memory_utilization"] == 0.9


@pytest.mark.parametrize(("num_gpus", "advised"), [(0.0, True), (0.5, True), (1.0, False)])
def test_a_cache_that_is_too_small_is_named_by_its_setting(
    tmp_path: Path, num_gpus: float, advised: bool
) -> None:
    """vLLM's advice has no effect where the cache has a fixed size."""
    engine = VllmEngine(ModelConfig(model="org/name", num_gpus=num_gpus), "org/name")
    engine._core_log = CoreLog(tmp_path / "none")
    said = "2.0 GiB KV cache is needed, which is larger than the available KV cache memory (1.0 GiB)."
    reason = engine._reason(ValueError(said))
    assert reason.startswith(said)
    assert reason.endswith("; raise models.*.kv_cache_gib, now 1") == advised
    assert "kv_cache_gib" not in engine._reason(ValueError("no such model"))
