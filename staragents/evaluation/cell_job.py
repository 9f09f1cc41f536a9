"""Everything that a worker needs to train and measure one student."""

from __future__ import annotations

import gc
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.config import EvaluationConfig, Template
from staragents.evaluation.cell import Cell, CellResult
from staragents.evaluation.held_out import HeldOut
from staragents.scoring.conventions import Span

DECISIVE = ("max_length", "learning_rate", "warmup", "lora_rank", "dtype", "num_gpus")
"""Settings that change a student, beside its steps. The number of CPUs changes only the order of sums."""


@dataclass(frozen=True, slots=True)
class CellJob:
    """`path`: the student, a folder or hub id; `identity`: what it is (`model_identity`). `folder`: for
    checkpoints of this cell. Without steps, the student is only measured."""

    cell: Cell
    path: str
    identity: str
    template: Template
    steps: tuple[tuple[Span, ...], ...]
    rows: int
    settings: EvaluationConfig
    folder: Path

    @property
    def tokens(self) -> int:
        """Trained answer tokens."""
        return sum(span.tokens for step in self.steps for span in step)

    def fingerprint(self, held_out: Sequence[HeldOut]) -> str:
        """Checksum of everything that determines the result."""
        settings = asdict(self.settings)
        facts = [
            asdict(self.cell),
            self.identity,
            self.template,
            self.steps and [[[span.ids, span.start] for span in step] for step in self.steps],
            {name: settings[name] for name in DECISIVE},
            [[one.conversation_id, sorted(one.answers)] for one in held_out],
        ]
        return hashlib.sha256(json.dumps(facts, default=asdict).encode()).hexdigest()

    def run(self, held_out: Sequence[HeldOut]) -> CellResult:
        """Train and measure. Raises BadInput naming arm and training seed if a loss is not finite, and as
        `fine_tune` does."""
        from staragents.evaluation.fine_tuning import fine_tune
        from staragents.evaluation.measuring import held_out_losses

        begun = time.monotonic()
        try:
            trained = fine_tune(self.path, self.steps, self.cell.training_seed, self.settings, self.folder)
            losses = held_out_losses(
                trained.model, trained.tokenizer, self.path, self.template, held_out, self.settings
            )
        except FloatingPointError as error:
            raise BadInput(
                f"arm {self.cell.arm}, training seed {self.cell.training_seed}: {error}; "
                "lower evaluation.learning_rate"
            ) from error
        finally:
            _free_memory()
        shutil.rmtree(self.folder, ignore_errors=True)
        return CellResult(
            cell=self.cell,
            losses=losses,
            trained_tokens=self.tokens,
            rows=self.rows,
            steps=len(self.steps),
            final_loss=trained.final_loss,
            seconds=time.monotonic() - begun,
        )


def _free_memory() -> None:
    """A trainer and its model refer to each other, and the next cell may start in the same process."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
