"""The settings of a score command."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from staragents.config import (
    ColumnsConfig,
    Convention,
    Dtype,
    RowFormat,
    ScoredReasoning,
    ScorerModelConfig,
    ScoringConfig,
    Template,
    WeightBits,
)
from staragents.config.marks import Mark
from staragents.config.tree import declared
from staragents.models.model_names import resolve_model
from staragents.score_file.selection import Selection
from staragents.validation.plain_overrides import plain_overrides
from staragents.validation.tree_merge import Tree

ADDED_COLUMNS = frozenset(
    name for name, field_ in declared(ColumnsConfig).items() if Mark.added in field_.marks
)


@dataclass(frozen=True)
class ScoreSettings:
    """The options of a command. Lengths are in tokens; without `larger`, only the target model scores."""

    data: str
    target: str
    output: Path
    larger: str | None = None
    template: Template = ScoringConfig.template
    convention: Convention = ScoringConfig.convention
    reasoning: ScoredReasoning = ScoringConfig.reasoning
    max_length: int = ScoringConfig.max_length
    min_tokens: int = ScoringConfig.min_answer_tokens
    batch_tokens: int = ScoringConfig.batch_tokens
    dtype: str = ScorerModelConfig.dtype
    device: str = "auto"
    target_adapter: str | None = None
    larger_adapter: str | None = None
    quantization: WeightBits | None = None
    device_map: str | None = None
    limit: int | None = None
    format: RowFormat = RowFormat.auto
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    encoding: str | None = None
    """Encoding of text files; None: UTF-8, or guessed where it is not."""
    selection: Selection = field(default_factory=Selection)
    strict: bool = False
    overwrite: bool = False
    cache: Path | None = None
    cache_mib: int = ScoringConfig.cache_mib
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
    overrides: tuple[str, ...] = ()
    """`scoring.KEY=VALUE` in the words of a run's config; they take precedence over the fields above."""

    @property
    def models(self) -> dict[str, str]:
        """The model names by role."""
        target, larger = self._named.target.model, self._named.larger.model
        return {"target": target} | ({"larger": larger} if larger else {})

    @property
    def scoring(self) -> ScoringConfig:
        """These settings as a section of a run's config, with the paths of adapters."""
        return replace(
            self._named, target=_with_paths(self._named.target), larger=_with_paths(self._named.larger)
        )

    @cached_property
    def _named(self) -> ScoringConfig:
        """The same with the names of adapters. Raises BadInput for invalid overrides."""
        larger_gpus = self.gpus if self.larger_gpus is None else self.larger_gpus
        scoring = ScoringConfig(
            target=self._model(self.target, self.target_adapter, self.replicas, self.gpus),
            larger=self._model(
                self.larger or "", self.larger_adapter, self.larger_replicas or self.replicas, larger_gpus
            ),
            # From Python, these may be plain strings.
            template=Template(self.template),
            convention=Convention(self.convention),
            reasoning=ScoredReasoning(self.reasoning),
            max_length=self.max_length,
            batch_tokens=self.batch_tokens,
            min_answer_tokens=self.min_tokens,
            cache_mib=self.cache_mib,
            cache_path=str(self.cache) if self.cache else None,
        )
        scoring = with_overrides(scoring, self.overrides) if self.overrides else scoring
        if scoring.cache_path:
            scoring.cache_path = str(Path(scoring.cache_path).absolute())
        if not scoring.larger.model:
            scoring.larger.replicas = 0
        return scoring

    def _model(self, model: str, adapter: str | None, replicas: int, gpus: float) -> ScorerModelConfig:
        return ScorerModelConfig(
            model=model,
            dtype=cast(Dtype, self.dtype),  # `score` takes any floating type of torch
            replicas=replicas,
            num_gpus=gpus,
            num_cpus=self.cpus,
            adapter=adapter,
            quantization=self.quantization,
            device_map=self.device_map,
        )

    @property
    def adapters(self) -> dict[str, str]:
        """The names of the LoRA adapters by role."""
        named = {"target": self._named.target.adapter, "larger": self._named.larger.adapter}
        return {role: adapter for role, adapter in named.items() if adapter}

    @property
    def weights(self) -> dict[str, str]:
        """The names of all models and adapters by option."""
        return self.models | {f"{role}-adapter": adapter for role, adapter in self.adapters.items()}

    def decides_scores(self) -> dict[str, Any]:
        """The settings that affect scores, unlike batch sizes and caches, by option."""
        scoring, target = self._named, self._named.target
        shared = {"dtype": target.dtype, "quantization": target.quantization, "device_map": target.device_map}
        larger = {name: getattr(scoring.larger, name) for name in shared} if scoring.larger.model else {}
        # Named only where it differs, as commands of earlier versions ignored reasoning.
        uses = scoring.reasoning is not ScoringConfig.reasoning
        return {
            "--template": scoring.template.value,
            "--convention": scoring.convention.value,
            # Only where it differs, as commands of earlier versions ignored reasoning, too.
            **({"--reasoning": scoring.reasoning.value} if uses else {}),
            "--max-length": scoring.max_length,
            "--min-tokens": scoring.min_answer_tokens,
            "--dtype": target.dtype,
            "--device": self.device,
            "--quantization": target.quantization,
            "--device-map": target.device_map,
            # No option sets these for one model only.
            **{f"scoring.larger.{name}": own for name, own in larger.items() if own != shared[name]},
        }

    def decides_rows(self) -> dict[str, Any]:
        """The options that affect the selection and order of output rows."""
        return {
            "--limit": self.limit,
            "--format": self.format.value,
            # Outputs of earlier versions lack the columns that these didn't know.
            "--columns": {
                name: column
                for name, column in asdict(self.columns).items()
                if column is not None or name not in ADDED_COLUMNS
            },
            # Absent from the outputs of earlier versions.
            **({"--encoding": self.encoding} if self.encoding else {}),
            **self.selection.facts(),
        }


def with_overrides(scoring: ScoringConfig, overrides: Sequence[str]) -> ScoringConfig:
    """`scoring` with `scoring.KEY=VALUE` applied. Raises BadInput with every problem."""
    problems = [
        f"{text.partition('=')[0]}: expected scoring.KEY=VALUE" for text in overrides if not _is_scoring(text)
    ]
    given, tree = plain_overrides([text for text in overrides if _is_scoring(text)], problems)
    changed: ScoringConfig = _changed(scoring, given.scoring, tree["scoring"])
    return changed


def _is_scoring(override: str) -> bool:
    return override.startswith("scoring.")


def _changed(section: Any, given: Any, named: Tree) -> Any:
    """`section` with those values of `given` that `named` names."""
    values = {}
    for name, below in named.items():
        old, new = getattr(section, name), getattr(given, name)
        values[name] = _changed(old, new, below or {}) if is_dataclass(new) else new
    return replace(section, **values)


def _with_paths(model: ScorerModelConfig) -> ScorerModelConfig:
    return replace(model, adapter=resolve_model(model.adapter)) if model.adapter else model
