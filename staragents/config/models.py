"""Generating models."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from staragents.config.marks import (
    ONE_OR_MORE,
    POSITIVE,
    POSITIVE_SHARE,
    SHARE,
    ZERO_OR_MORE,
    Location,
    Mark,
    ReadBy,
)


class EngineKind(StrEnum):
    vllm = "vllm"
    openai = "openai"
    recorded = "recorded"
    fake = "fake"


class Reasoning(StrEnum):
    auto = "auto"
    on = "on"
    off = "off"


class Dtype(StrEnum):
    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


@dataclass
class FakeConfig:
    """Behaviour of a `fake` engine, for load and fault tests. Every output is marked as fake."""

    latency_s: Annotated[float, ZERO_OR_MORE, Mark.on_resume] = 0.0
    """Mean latency of an answer."""
    failure_rate: Annotated[float, SHARE] = 0.0
    """Fraction of requests that fail, chosen by the request's hash, so that a retry may succeed."""
    refusal_rate: Annotated[float, SHARE] = 0.0
    """Fraction of answers that are refusals."""
    thinks: Annotated[bool, Mark.added] = False
    """Write a thought of 20 to 60 words in <think> tags before every answer and verdict."""


@dataclass
class ModelConfig:
    """One engine, shared by all agents and the judge that name it."""

    kind: EngineKind = EngineKind.vllm
    """vllm (on this cluster), openai (any OpenAI-compatible server), recorded (a table) or fake."""
    model: Annotated[str, Location()] = ""
    """A hub id, a local folder, or `packaged:smollm2-135m-instruct`. For recorded: the name of an agent in
    the table, or `judge`."""
    table: Annotated[str | None, Location(), ReadBy(EngineKind.recorded)] = None
    """For recorded: JSONL or .gz with `instruction` and `response` {agent: text}; for `judge` also with
    `reference`, the seed's response, and `win` {agent: 0 to 1}. Requests that are not in the table fail."""
    dtype: Dtype = Dtype.auto
    """auto is bfloat16 on a GPU and on a CPU with AMX; on other CPUs float32, which is 2-4x faster there."""
    max_model_len: Annotated[int, ONE_OR_MORE] = 4096
    """Maximum tokens of prompt plus answer; determines the size of the KV cache."""
    max_num_seqs: Annotated[int, ONE_OR_MORE, Mark.on_resume] = 64
    """Maximum batch size in sequences. Larger values raise throughput until the KV cache is full."""
    min_replicas: Annotated[int, ONE_OR_MORE, Mark.on_resume] = 1
    """Initial and minimum number of replicas."""
    max_replicas: Annotated[int, ONE_OR_MORE, Mark.on_resume] = 1
    """Maximum number of replicas; the pool grows while requests queue."""
    num_gpus: Annotated[float, ZERO_OR_MORE, Mark.on_resume] = 0.0
    """GPUs per replica. A fraction shares a GPU; more than one splits the model by tensor parallelism. 0 is
    the CPU, for which vLLM has a build of its own."""
    nodes: Annotated[int, ONE_OR_MORE, Mark.on_resume] = 1
    """Nodes per replica, with equally many GPUs on each: more than one for a model that does not fit on a
    node. The model is split by tensor parallelism within a node and by pipeline parallelism across nodes."""
    num_cpus: Annotated[float, ZERO_OR_MORE, Mark.on_resume] = 1.0
    """CPUs per replica; for vLLM on a CPU also the number of OpenMP threads."""
    resources: Annotated[dict[str, float], POSITIVE, Mark.on_resume] = field(default_factory=dict)
    """Custom Ray resources per replica, to choose its nodes: {"accelerator_type:H100": 0.01}. If nodes is
    above 1, the amount applies to each GPU."""
    gpu_memory_utilization: Annotated[float, POSITIVE_SHARE, Mark.on_resume] = 0.9
    """Fraction of GPU memory that vLLM may use; of a shared GPU, at most num_gpus."""
    kv_cache_gib: Annotated[int, ONE_OR_MORE, Mark.on_resume] = 1
    """KV cache size of vLLM on a CPU or a shared GPU (num_gpus below 1). On whole GPUs, the cache takes what
    the weights leave."""
    engine_args: Annotated[dict[str, Any], ReadBy(EngineKind.vllm)] = field(default_factory=dict)
    """Further keyword arguments, passed to vLLM's AsyncEngineArgs unchanged. tokenizer, revision,
    tokenizer_revision and trust_remote_code also hold for the tokenizer that makes the prompts."""
    silence_s: Annotated[float, POSITIVE, Mark.on_resume] = 300.0
    """A replica that has requests but finishes none for this long is replaced (vllm#53157)."""
    base_url: Annotated[
        str | None, Mark.on_resume, Location(secret_in="api_key_env"), ReadBy(EngineKind.openai)
    ] = None
    """For openai: the server's address, such as http://127.0.0.1:8000/v1."""
    api_key_env: Annotated[str | None, Mark.on_resume, ReadBy(EngineKind.openai)] = None
    """For openai: the name of the environment variable that holds the key. Never the key itself."""
    price_in: Annotated[float, ZERO_OR_MORE, Mark.live] = 0.0
    """Price of a million prompt tokens. With prices, `plan`, `preview` and a run report the cost."""
    price_out: Annotated[float, ZERO_OR_MORE, Mark.live] = 0.0
    """Price of a million generated tokens."""
    price_gpu_hour: Annotated[float, ZERO_OR_MORE, Mark.live] = 0.0
    """Price of a GPU of this pool per hour. Only min_replicas are counted; replicas added later are not."""
    chat: bool = True
    """False for a base model without a chat template: agents send it raw text."""
    reasoning: Annotated[Reasoning, Mark.added] = Reasoning.auto
    """Whether the model thinks before it answers. auto leaves it to the model's chat template; on and off ask
    for it by the template's own switch. What the model thinks is never part of an instruction or answer."""
    thinking_tokens: Annotated[int, ZERO_OR_MORE, Mark.added] = 2048
    """Maximum new tokens that a model that thinks may use in addition to the max_tokens of its agents and
    judge."""
    chat_template_kwargs: Annotated[dict[str, Any], Mark.added] = field(default_factory=dict)
    """Further variables of the model's chat template, such as {reasoning_effort: low}."""
    extra_body: Annotated[dict[str, Any], Mark.added, ReadBy(EngineKind.openai)] = field(default_factory=dict)
    """For openai: further fields of every request, passed to the server unchanged."""
    fake: Annotated[FakeConfig, ReadBy(EngineKind.fake)] = field(default_factory=FakeConfig)

    @property
    def thinking_budget(self) -> int:
        """Maximum tokens of a thought: 0 for a base model, and if the model is asked not to think."""
        return self.thinking_tokens if self.chat and self.reasoning is not Reasoning.off else 0

    @property
    def shares_gpu(self) -> bool:
        return 0 < self.num_gpus < 1

    @property
    def memory_share(self) -> float:
        """Fraction of each GPU's memory that vLLM may use."""
        most = self.num_gpus if self.shares_gpu else 1.0
        return min(self.gpu_memory_utilization, most)

    @property
    def max_ongoing(self) -> int:
        """In-flight requests per replica. For vLLM, 1.5 times its batch size: when several requests end in
        one step, queued ones take their slots in the next; a deeper queue would only hide load. An external
        server gets exactly `max_num_seqs`."""
        return round(1.5 * self.max_num_seqs) if self.kind is EngineKind.vllm else self.max_num_seqs
