"""TRL's SFTTrainer with optimiser steps that are decided beforehand."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import PrinterCallback, TrainerCallback
from trl import SFTTrainer

from staragents.evaluation.checkpoints import Checkpoints
from staragents.scoring.packing import pack_padded

logger = logging.getLogger(__name__)

IGNORED = -100
"""Label of a token that is not trained."""
SAVE_EVERY_S = 300.0


class StepTrainer(SFTTrainer):
    """Each batch of the data loader is one optimiser step of any number of rows.

    A step's loss is the mean over its trained tokens. It is computed in parts of at most `part_tokens` padded
    tokens, to bound the memory, with the same gradient as in one part; they become smaller when a GPU runs
    out of memory. Raises FloatingPointError when a loss is not finite, torch.OutOfMemoryError when a single
    row is too long for the GPU, or the optimiser's state does not fit.
    """

    def __init__(self, steps: Sequence[Sequence[int]], part_tokens: int, **options: Any) -> None:
        """`steps`: row numbers of `train_dataset`, which has the columns input_ids and labels."""
        super().__init__(callbacks=[_SaveByTime()], **options)
        self.remove_callback(PrinterCallback)
        self._steps = [list(step) for step in steps]
        self._part_tokens = part_tokens
        self._checkpoints = Checkpoints(Path(str(self.args.output_dir)))
        self.began = False
        """Whether it has trained, so that nothing of a checkpoint remains to be loaded."""

    def get_train_dataloader(self) -> DataLoader[Any]:
        rows: Any = self.train_dataset
        loader: DataLoader[Any] = DataLoader(rows, batch_sampler=self._steps, collate_fn=self.data_collator)
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        self.began = True
        while (total := self._sum_of_parts(model, inputs, num_items_in_batch)) is None:
            # Part of a gradient may be there.
            model.zero_grad()
            torch.cuda.empty_cache()
        if not math.isfinite(total.item()):
            raise FloatingPointError(f"the loss of step {self.state.global_step + 1} is {total.item()}")
        return total

    def _sum_of_parts(self, model: Any, inputs: Any, num_items_in_batch: Any) -> torch.Tensor | None:
        """The loss, with its gradient in the model; None if a GPU ran out of memory, after which parts are
        smaller."""
        total = torch.zeros((), device=self.args.device)
        for part in self._parts(inputs):
            try:
                total = total + super().training_step(model, part, num_items_in_batch)
            except torch.OutOfMemoryError:
                rows, length = part["input_ids"].shape
                if rows == 1:
                    raise
                self._part_tokens = rows * length // 2
                logger.warning("out of GPU memory: training in parts of %d tokens", self._part_tokens)
                return None
        return total

    def _parts(self, inputs: dict[str, torch.Tensor]) -> Iterator[dict[str, torch.Tensor]]:
        """Rows of similar length together, without the padding that they do not need."""
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        for rows in pack_padded(lengths, self._part_tokens):
            longest = max(lengths[row] for row in rows)
            yield {name: value[rows, :longest] for name, value in inputs.items()}

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """transformers, which gets no `save_total_limit`, would remove older ones before this one is
        usable."""
        write = partial(super()._save_checkpoint, model, trial)
        self._checkpoints.save(self.state.global_step, write)

    def create_model_card(self, *arguments: Any, **options: Any) -> None:
        """A checkpoint is only for resuming: it needs none."""


class _SaveByTime(TrainerCallback):
    """Saves a checkpoint every SAVE_EVERY_S seconds."""

    def __init__(self) -> None:
        self._saved = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if time.monotonic() - self._saved >= SAVE_EVERY_S:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._saved = time.monotonic()
