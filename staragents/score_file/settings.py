"""The settings of a score command."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from staragents.config import (
    ColumnsConfig,
    Convention,
    Dtype,
    RowFormat,
    ScorerModelConfig,
    ScoringConfig,
    Template,
    WeightBits,
)
from staragents.models.packaged_models import resolve_model
from staragents.score_file.selection import Selection


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """The options of a command. Lengths are in tokens; with `larger` None, only the target model scores."""

    data: str
    target: str
    output: Path
    larger: str | None = None
    template: Template = Template.plain
    convention: Convention = Convention.exact
    max_length: int = 2048
    min_tokens: int = 5
    batch_tokens: int = 8192
    dtype: str = "auto"
    device: str = "auto"
    target_adapter: str | None = None
    larger_adapter: str | None = None
    quantization: WeightBits | None = None
    device_map: str | None = None
    limit: int | None = None
    format: RowFormat = RowFormat.auto
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    selection: Selection = field(default_factory=Selection)
    strict: bool = False
    overwrite: bool = False
    cache: Path | None = None
    cache_mib: int = 64
    replicas: int = 1
    """Processes per model on Ray; without Ray there is one."""
    larger_replicas: int | None = None
    """Processes of the larger model, if different from `replicas`."""
    gpus: float = 0.0
    """GPUs per process on Ray."""
    larger_gpus: float | None = None
    """GPUs per process of the larger model, if different from `gpus`."""
    cpus: float = field(default_factory=lambda: float(len(os.sched_getaffinity(0))))
    """CPUs and threads per process."""

    @property
    def models(self) -> dict[str, str]:
        """The model names by role."""
        return {"target": self.target} | ({"larger": self.larger} if self.larger else {})

    @property
    def scoring(self) -> ScoringConfig:
        """These settings as a section of a run's config."""
        return ScoringConfig(
            target=self._model("target", self.replicas, self.gpus),
            larger=self._model(
                "larger",
                (self.larger_replicas or self.replicas) if self.larger else 0,
                self.gpus if self.larger_gpus is None else self.larger_gpus,
            ),
            template=self.template,
            convention=self.convention,
            max_length=self.max_length,
            batch_tokens=self.batch_tokens,
            min_answer_tokens=self.min_tokens,
            cache_mib=self.cache_mib,
            cache_path=str(self.cache.absolute()) if self.cache else None,
        )

    def _model(self, role: str, replicas: int, gpus: float) -> ScorerModelConfig:
        adapter = self.adapters.get(role)
        return ScorerModelConfig(
            model=self.models.get(role, ""),
            dtype=cast(Dtype, self.dtype),  # `score` takes any floating type of torch
            replicas=replicas,
            num_gpus=gpus,
            num_cpus=self.cpus,
            adapter=resolve_model(adapter) if adapter else None,
            quantization=self.quantization,
            device_map=self.device_map,
        )

    @property
    def adapters(self) -> dict[str, str]:
        """The names of the LoRA adapters by role."""
        named = {"target": self.target_adapter, "larger": self.larger_adapter}
        return {role: adapter for role, adapter in named.items() if adapter}

    @property
    def weights(self) -> dict[str, str]:
        """The names of all models and adapters by option."""
        return self.models | {f"{role}-adapter": adapter for role, adapter in self.adapters.items()}

    def decides_scores(self) -> dict[str, Any]:
        """The options that affect scores, unlike batch sizes and caches."""
        return {
            "--template": self.template.value,
            "--convention": self.convention.value,
            "--max-length": self.max_length,
            "--min-tokens": self.min_tokens,
            "--dtype": self.dtype,
            "--device": self.device,
            "--quantization": self.quantization,
            "--device-map": self.device_map,
        }

    def decides_rows(self) -> dict[str, Any]:
        """The options that affect the selection and order of output rows."""
        return {
            "--limit": self.limit,
            "--format": self.format.value,
            "--columns": asdict(self.columns),
            **self.selection.facts(),
        }
