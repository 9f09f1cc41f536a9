"""The valid range of every number in a config."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from staragents.config import Config
from staragents.config.tree import as_dict, leaves, matches
from staragents.validation.merging import shown


@dataclass(frozen=True, slots=True)
class Range:
    """`low` to `high`, both inclusive; `above` excludes `low`."""

    low: float
    high: float = math.inf
    above: bool = False

    def holds(self, value: float) -> bool:
        return (
            math.isfinite(value) and self.low <= value <= self.high and not (self.above and value == self.low)
        )

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"more than {self.low:g}" if self.above else f"at least {self.low:g}"
        return f"{'more than ' if self.above else ''}{self.low:g} to {self.high:g}"


ONE_OR_MORE = Range(1)
ZERO_OR_MORE = Range(0)
POSITIVE = Range(0, above=True)
SHARE = Range(0, 1)
POSITIVE_SHARE = Range(0, 1, above=True)

BOUNDS = {
    "seeds.limit": ONE_OR_MORE,
    "seeds.max_chars": ONE_OR_MORE,
    "seeds.max_unpacked_gib": POSITIVE,
    "models.*.max_model_len": ONE_OR_MORE,
    "models.*.max_num_seqs": ONE_OR_MORE,
    "models.*.min_replicas": ONE_OR_MORE,
    "models.*.max_replicas": ONE_OR_MORE,
    "models.*.num_gpus": ZERO_OR_MORE,
    "models.*.nodes": ONE_OR_MORE,
    "models.*.num_cpus": ZERO_OR_MORE,
    "models.*.resources.*": POSITIVE,
    "models.*.gpu_memory_utilization": POSITIVE_SHARE,
    "models.*.kv_cache_gib": ONE_OR_MORE,
    "models.*.silence_s": POSITIVE,
    "models.*.price_in": ZERO_OR_MORE,
    "models.*.price_out": ZERO_OR_MORE,
    "models.*.price_gpu_hour": ZERO_OR_MORE,
    "models.*.fake.latency_s": ZERO_OR_MORE,
    "models.*.fake.failure_rate": SHARE,
    "models.*.fake.refusal_rate": SHARE,
    "agents.*.*.temperature": ZERO_OR_MORE,
    "agents.*.*.top_p": POSITIVE_SHARE,
    "agents.*.*.max_tokens": ONE_OR_MORE,
    "evolution.draws": ZERO_OR_MORE,
    "evolution.rate": POSITIVE,
    "evolution.floor": Range(0, 0.2),
    "evolution.exploration": Range(0.1, 0.6),
    "evolution.discount": Range(0.99, 1),
    "evolution.memory_weight": Range(0, 2),
    "evolution.recalled_draws": ZERO_OR_MORE,
    "scoring.*.replicas": ONE_OR_MORE,
    "scoring.*.max_replicas": ONE_OR_MORE,
    "scoring.*.num_gpus": ZERO_OR_MORE,
    "scoring.*.num_cpus": ZERO_OR_MORE,
    "scoring.*.resources.*": POSITIVE,
    "scoring.*.price_gpu_hour": ZERO_OR_MORE,
    "scoring.max_length": Range(2),
    "scoring.batch_tokens": ONE_OR_MORE,
    "scoring.min_answer_tokens": ONE_OR_MORE,
    "scoring.cache_mib": ZERO_OR_MORE,
    "judge.max_reason_chars": ONE_OR_MORE,
    "judge.max_text_chars": ONE_OR_MORE,
    "judge.retries": ZERO_OR_MORE,
    "memory.neighbours": ONE_OR_MORE,
    "memory.min_similarity": Range(-1, 1),  # a cosine
    "memory.warmup": ZERO_OR_MORE,
    "memory.max_points": ONE_OR_MORE,
    "memory.min_reward": SHARE,
    "memory.timeout_s": POSITIVE,
    "filters.similarity": Range(0.3, 1),
    "filters.ngram": Range(5),
    "filters.min_words": ZERO_OR_MORE,
    "filters.max_words": ONE_OR_MORE,
    "run.admitted_seeds": ONE_OR_MORE,
    "run.workers": ZERO_OR_MORE,
    "run.attempts": ONE_OR_MORE,
    "run.deadline_s": POSITIVE,
    "run.checkpoint_s": ZERO_OR_MORE,
    "run.max_error_rate": SHARE,
    "run.max_tokens": ONE_OR_MORE,
    "run.budget": POSITIVE,
    "run.max_minutes": POSITIVE,
    "run.patience": Range(2),
}


def out_of_bounds(config: Config) -> Iterator[str]:
    """A line for every number outside its range. NaN and infinity are outside every range."""
    for key, value in leaves(as_dict(config)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        for pattern, allowed in BOUNDS.items():
            if matches(key, pattern) and not allowed.holds(value):
                yield f"{'.'.join(key)}: expected {allowed}, got {shown(value)}"
