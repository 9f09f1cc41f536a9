"""Students trained on a run's data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from staragents.config.marks import ONE_OR_MORE, POSITIVE, SHARE, ZERO_OR_MORE, Location, Range
from staragents.config.models import Dtype
from staragents.config.scoring import Template


@dataclass
class EvaluationConfig:
    """Students that `evaluate` trains on a run's dataset and on alternatives to it. Affects no run."""

    student: Annotated[str, Location()] = ""
    """The model to train: a hub id, a local folder or `packaged:...`. Unset: the target of scoring."""
    arms: list[str] = field(default_factory=lambda: ["dataset", "seeds", "random", "random-length"])
    """What students are trained on, one arm each: dataset (what the run chose), seeds (unchanged), random (a
    random candidate of each seed), random-length (the same with the lengths of dataset), judge (highest
    judge_win), ifd (highest target IFD below 1), base (the base pair's sample), pair:NAME."""
    training_seeds: Annotated[int, ONE_OR_MORE] = 3
    """Students per arm. They differ in the order of rows and, with LoRA, in the adapter's first weights."""
    tokens: Annotated[int | None, ONE_OR_MORE] = None
    """Answer tokens on which each student is trained. Unset: those of the arm with the fewest, times
    epochs."""
    epochs: Annotated[float, POSITIVE] = 1.0
    """Without `tokens`: how often the arm with the fewest answer tokens is read."""
    template: Template | None = None
    """Prompt template of training and measuring. Unset: chat if the student has a chat template, else
    plain."""
    max_length: Annotated[int, Range(2)] = 1024
    """Maximum tokens of prompt plus answer, in training and measuring. Longer answers are cut."""
    step_tokens: Annotated[int | None, ONE_OR_MORE] = None
    """Answer tokens per optimiser step, so that all arms take the same number of steps. Unset: 1024, or fewer
    for 20 steps."""
    learning_rate: Annotated[float | None, POSITIVE] = None
    """Peak of a cosine schedule. Unset: 2e-5 for all weights, 2e-4 for LoRA."""
    warmup: Annotated[float, SHARE] = 0.1
    """Share of the steps in which the learning rate rises."""
    lora_rank: Annotated[int | None, ZERO_OR_MORE] = None
    """Rank of the LoRA adapters (needs the package peft); 0 trains all weights. Unset: 0 up to 1 billion
    parameters, 16 beyond."""
    dtype: Dtype = Dtype.auto
    """auto: bfloat16 on a GPU, float32 on a CPU."""
    judged_prompts: Annotated[int, ONE_OR_MORE] = 50
    """With `--judge`: held-out prompts that each student answers, chosen by the hash of their
    conversation."""
    answer_tokens: Annotated[int, ONE_OR_MORE] = 256
    """With `--judge`: maximum new tokens of such an answer. Prompts that leave no room for them within
    `max_length` are not judged."""
    task_limit: Annotated[int | None, ONE_OR_MORE] = None
    """With `--tasks`: rows of each task, the first ones. Unset: all of them."""
    num_gpus: Annotated[float, Range(0, 1, because="a student trains on one GPU or a part of it")] = 0.0
    """GPUs per student: 1, or a fraction, by which students share the memory of one."""
    num_cpus: Annotated[float, POSITIVE] = 2.0
    """CPUs and threads per student."""
