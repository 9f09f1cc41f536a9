"""The two scoring models."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from staragents.config.marks import ONE_OR_MORE, POSITIVE, ZERO_OR_MORE, Location, Mark, Range
from staragents.config.models import Dtype


class Template(StrEnum):
    plain = "plain"
    chat = "chat"
    alpaca = "alpaca"


class Convention(StrEnum):
    exact = "exact"
    superfiltering = "superfiltering"


class ScoredReasoning(StrEnum):
    ignore = "ignore"
    context = "context"
    both = "both"


class Execution(StrEnum):
    auto = "auto"
    packed = "packed"
    padded = "padded"


WeightBits = StrEnum("WeightBits", ["8bit", "4bit"])
"""Made by a call, as its values are no names of Python's."""


@dataclass
class ScorerModelConfig:
    """One of the two models under which IFD is measured."""

    model: Annotated[str, Location()] = ""
    """A hub id, a local folder, `packaged:...`, or `fake`."""
    dtype: Dtype = Dtype.auto
    """auto: bfloat16 on a GPU, float32 on a CPU. The log-softmax is always float32."""
    replicas: Annotated[int, ONE_OR_MORE, Mark.on_resume] = 1
    """Minimum number of scorer actors of this model."""
    max_replicas: Annotated[int | None, ONE_OR_MORE, Mark.on_resume] = None
    """Maximum number of scorer actors: the pool grows while rows queue and shrinks again. null: fixed
    size."""
    num_gpus: Annotated[float, ZERO_OR_MORE, Mark.on_resume] = 0.0
    """GPUs per actor; a fraction shares a GPU, 0 is the CPU."""
    num_cpus: Annotated[float, ZERO_OR_MORE, Mark.on_resume] = 1.0
    """CPUs and threads per actor."""
    resources: Annotated[dict[str, float], POSITIVE, Mark.on_resume] = field(default_factory=dict)
    """Custom Ray resources per actor, to choose its nodes: {"accelerator_type:L40S": 0.01}."""
    price_gpu_hour: Annotated[float, ZERO_OR_MORE, Mark.live] = 0.0
    """Price of a GPU of these actors per hour."""
    adapter: Annotated[str | None, Location()] = None
    """A LoRA adapter on top of the model: a folder or hub id (needs the package peft)."""
    quantization: WeightBits | None = None
    """8bit or 4bit, if the weights would not fit otherwise (needs the package bitsandbytes)."""
    device_map: str | None = None
    """auto spreads the model over the actor's GPUs if it does not fit on one."""

    @property
    def most_replicas(self) -> int:
        return self.replicas if self.max_replicas is None else self.max_replicas


@dataclass
class ScoringConfig:
    """IFD of seeds and candidates under the target model and a larger model (paper eq. 4-5)."""

    target: ScorerModelConfig = field(default_factory=ScorerModelConfig)
    """The model that will be trained on the data, or a smaller one."""
    larger: ScorerModelConfig = field(default_factory=ScorerModelConfig)
    """A stronger model: a sample that is hard for it as well is too hard."""
    template: Template = Template.plain
    """Prompt template for scoring; a chat template on a base model pushes every IFD above 1."""
    convention: Convention = Convention.exact
    """exact scores the same answer tokens in both passes; superfiltering reproduces published tables."""
    reasoning: Annotated[ScoredReasoning, Mark.added] = ScoredReasoning.ignore
    """Of an answer with reasoning: ignore scores the answer as if there were none; context scores it after
    its reasoning, which counts as part of the prompt; both scores reasoning and answer as one text."""
    execution: Execution = Execution.auto
    """packed concatenates many sequences in one row without padding; auto uses it if the model supports
    it."""
    max_length: Annotated[int, Range(2)] = 2048
    """Maximum tokens of prompt plus answer; only the answer is truncated, equally in both passes."""
    batch_tokens: Annotated[int, ONE_OR_MORE, Mark.on_resume] = 8192
    """Maximum tokens per forward pass; trades memory for speed. At most 1024 are used on a CPU."""
    min_answer_tokens: Annotated[int, ONE_OR_MORE] = 5
    """Shorter answers get the status too_short, as their IFD is noise."""
    cache_mib: Annotated[int, ZERO_OR_MORE, Mark.on_resume] = 64
    """Size of each scorer's loss cache, at about 48 bytes per loss: an answer that is scored again, with any
    prompt, needs one pass instead of two. 0 disables the cache."""
    cache_path: Annotated[str | None, Mark.on_resume, Location()] = None
    """SQLite file that keeps the cache for later runs: an absolute path on a local disk of every node (SQLite
    does not support network file systems). Unset: in memory."""
