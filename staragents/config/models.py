"""Generating models."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class EngineKind(StrEnum):
    vllm = "vllm"
    openai = "openai"
    recorded = "recorded"
    fake = "fake"


@dataclass
class FakeConfig:
    """How a `fake` engine behaves: for load and fault tests, marked as fake in every output."""

    latency_s: float = 0.0
    """Mean time an answer takes."""
    failure_rate: float = 0.0
    """Share of requests that raise, chosen by the request's hash, so that a retry may succeed."""
    refusal_rate: float = 0.0
    """Share of answers that are refusals."""


@dataclass
class ModelConfig:
    """One engine, shared by every agent and judge that names it."""

    kind: EngineKind = EngineKind.vllm
    """vllm (on this cluster), openai (any OpenAI-compatible server), recorded (a table) or fake."""
    model: str = ""
    """A hub id, a local folder, or `packaged:smollm2-135m-instruct`. For recorded: the agent in the table, or
    `judge`."""
    table: str | None = None
    """For recorded: JSONL or .gz with `instruction` and `response` {agent: text}; for `judge` also with
    `reference`, the seed's response, and `win` {agent: 0 to 1}. What it lacks fails."""
    dtype: str = "auto"
    """auto takes bfloat16 on a GPU and on a CPU with AMX, else float32, which is 2-4x faster there."""
    max_model_len: int = 4096
    """Longest prompt plus answer in tokens; the KV cache is sized for it."""
    max_num_seqs: int = 64
    """Sequences an engine decodes together: more is more throughput until the KV cache is full."""
    min_replicas: int = 1
    """Replicas to start with and never go below."""
    max_replicas: int = 1
    """Replicas the pool may grow to while requests queue."""
    num_gpus: float = 0.0
    """GPUs of one replica; with more than one the model is split by tensor parallelism."""
    nodes: int = 1
    """Nodes that one replica's GPUs lie on, the same number on each: more than one for a model that no node
    holds. It is split by tensor parallelism on a node and by pipeline parallelism from node to node."""
    num_cpus: float = 1.0
    """CPUs of one replica; for a vLLM on the CPU also its number of OpenMP threads."""
    resources: dict[str, float] = field(default_factory=dict)
    """Custom resources of one replica, to choose its nodes: {"accelerator_type:H100": 0.01}. With nodes above
    1 each of its GPUs takes so much."""
    gpu_memory_utilization: float = 0.9
    """Share of the GPU's memory vLLM may take; lower it if scorers live on the same GPU."""
    kv_cache_gib: int = 1
    """KV cache of a vLLM on the CPU."""
    engine_args: dict[str, Any] = field(default_factory=dict)
    """Further keyword arguments for vLLM's AsyncEngineArgs, as they are."""
    silence_s: float = 300.0
    """A replica that has work and finishes none of it for so long is replaced (vllm#53157)."""
    base_url: str | None = None
    """For openai: the server's address, such as http://127.0.0.1:8000/v1."""
    api_key_env: str | None = None
    """For openai: the name of the environment variable that holds the key. Never the key itself."""
    price_in: float = 0.0
    """What a million tokens of prompts cost. Prices make `plan`, `preview` and a run count money."""
    price_out: float = 0.0
    """What a million tokens of answers cost."""
    price_gpu_hour: float = 0.0
    """What a GPU of this pool costs an hour. Counted for min_replicas: what a pool grows to comes on top."""
    chat: bool = True
    """False for a base model without a chat template: agents send it raw text."""
    fake: FakeConfig = field(default_factory=FakeConfig)

    @property
    def max_ongoing(self) -> int:
        """Requests a replica holds at once. Half as many again as a vLLM engine runs: when several of its
        requests end in one step, others take their places in the next; a deeper queue would only hide load.
        A server that is not ours gets what it was promised."""
        return round(1.5 * self.max_num_seqs) if self.kind is EngineKind.vllm else self.max_num_seqs
