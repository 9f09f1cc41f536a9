"""The two models that score."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Template(StrEnum):
    plain = "plain"
    chat = "chat"
    alpaca = "alpaca"


class Convention(StrEnum):
    exact = "exact"
    superfiltering = "superfiltering"


class Execution(StrEnum):
    auto = "auto"
    packed = "packed"
    padded = "padded"


@dataclass
class ScorerModelConfig:
    """One of the two models whose surprise is measured."""

    model: str = ""
    """A hub id, a local folder, `packaged:...`, or `fake`."""
    dtype: str = "auto"
    """auto: bfloat16 on a GPU, float32 on a CPU. The log-softmax is float32 always."""
    replicas: int = 1
    """Scorer actors of this model, at least."""
    max_replicas: int | None = None
    """Grow to so many while rows wait, and shrink again; null never does."""
    num_gpus: float = 0.0
    """GPUs of one actor; a fraction shares a GPU."""
    num_cpus: float = 1.0
    """CPUs, and threads, of one actor."""
    resources: dict[str, float] = field(default_factory=dict)
    """Custom resources of one actor, to choose its nodes: {"accelerator_type:L40S": 0.01}."""
    price_gpu_hour: float = 0.0
    """What a GPU of these actors costs an hour."""
    adapter: str | None = None
    """A LoRA adapter on top of the model: a folder or hub id (needs the package peft)."""
    quantization: str | None = None
    """8bit or 4bit, where the weights would not fit (needs the package bitsandbytes)."""
    device_map: str | None = None
    """auto spreads a model over the actor's GPUs, if it is bigger than one."""

    @property
    def most_replicas(self) -> int:
        return self.replicas if self.max_replicas is None else self.max_replicas


@dataclass
class ScoringConfig:
    """IFD of seed and candidate under the target and a larger model (paper eq. 4-5)."""

    target: ScorerModelConfig = field(default_factory=ScorerModelConfig)
    """The model that will be trained on the data (or a smaller one)."""
    larger: ScorerModelConfig = field(default_factory=ScorerModelConfig)
    """A stronger model: what is hard for it too is too hard."""
    template: Template = Template.plain
    """How a prompt is written for scoring; a chat template on a base model pushes every IFD above 1."""
    convention: Convention = Convention.exact
    """exact scores the same answer tokens in both passes; superfiltering reproduces published tables."""
    execution: Execution = Execution.auto
    """packed runs many sequences in one row without padding; auto takes it where the model allows it."""
    max_length: int = 2048
    """Longest prompt plus answer in tokens; only answers are cut, alike in both passes."""
    batch_tokens: int = 8192
    """Token budget of one forward pass: memory against speed. A CPU takes at most 1024."""
    min_answer_tokens: int = 5
    """Shorter answers get the status too_short: their IFD is noise."""
    cache_mib: int = 64
    """Losses that each scorer remembers, at about 48 bytes each: an answer that comes again, with whatever
    prompt, costs one pass and not two. 0 remembers none."""
    cache_path: str | None = None
    """Keep them in this SQLite file, for later runs: an absolute path on every node's own disk (SQLite is not
    for network file systems). Unset: in memory."""
