"""Trains one student on one arm's steps."""

from __future__ import annotations

import gc
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import torch

from staragents.base.errors import BadInput
from staragents.config import EvaluationConfig
from staragents.evaluation.checkpoints import Checkpoints
from staragents.evaluation.defaults import completed
from staragents.evaluation.packages import check_packages
from staragents.evaluation.training_memory import CPU_PART_TOKENS, LARGE, check_machine
from staragents.scoring.conventions import Span
from staragents.scoring.model_loading import Loading, load

logger = logging.getLogger(__name__)

GPU_PART_TOKENS = 8192
"""As CPU_PART_TOKENS."""
OUT_OF_ORDER = (MemoryError, torch.OutOfMemoryError, torch.AcceleratorError)


@dataclass(frozen=True, slots=True)
class Trained:
    """A student after training, in evaluation mode, and its loss in nats per token at every step."""

    model: Any
    tokenizer: Any
    losses: tuple[float, ...]

    @property
    def final_loss(self) -> float | None:
        """Mean of the last tenth of the steps; None without training."""
        last = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(last) / len(last) if last else None


def fine_tune(
    path: str,
    steps: Sequence[Sequence[Span]],
    training_seed: int,
    settings: EvaluationConfig,
    folder: Path,
    revision: str | None = None,
) -> Trained:
    """The model at `path` (a folder or hub id, with the commit to load) after these optimiser steps; without
    steps, unchanged.

    AdamW without weight decay, a cosine schedule, gradients clipped at 1, no early stopping. The result
    depends only on the arguments, the device and its number of threads. Checkpoints go to `folder`, from
    which a later call with the same arguments continues; a damaged one is dropped.

    Raises BadInput if the model can't be loaded, does not fit, or a package or the GPU is missing;
    FloatingPointError if a loss is not finite; OSError, MemoryError or torch's own errors if the machine
    can't load a checkpoint.
    """
    threads = max(1, round(settings.num_cpus))
    torch.set_num_threads(threads)
    on_gpu = settings.num_gpus > 0
    if on_gpu and not torch.cuda.is_available():
        raise BadInput(
            f"evaluation.num_gpus: expected a GPU that torch can use on {socket.gethostname()}, found none "
            f"(torch {torch.__version__})"
        )
    settings = completed(settings, path, revision)
    check_packages(lora=bool(settings.lora_rank and steps))
    loading = _loading(settings, on_gpu, revision)
    if not steps:
        return Trained(*load(path, loading), ())
    check_machine(path, settings)
    torch.use_deterministic_algorithms(True, warn_only=True)
    checkpoints = Checkpoints(folder)
    for checkpoint in checkpoints.complete():
        trained = _trained(path, steps, training_seed, settings, loading, folder, checkpoint)
        if trained is not None:
            return trained
        checkpoints.drop(checkpoint)
        gc.collect()
    trained = _trained(path, steps, training_seed, settings, loading, folder, None)
    assert trained is not None
    return trained


def _trained(
    path: str,
    steps: Sequence[Sequence[Span]],
    training_seed: int,
    settings: EvaluationConfig,
    loading: Loading,
    folder: Path,
    checkpoint: Path | None,
) -> Trained | None:
    """The student after training from this checkpoint, or from the beginning; None if the checkpoint is
    damaged."""
    rank = settings.lora_rank or 0
    model, tokenizer = load(path, loading)
    trainer = _trainer(model, tokenizer, steps, training_seed, settings, rank, folder)
    try:
        if checkpoint is not None:
            logger.info("training continues from %s", checkpoint)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    except Exception as error:  # torch, safetensors and transformers raise their own types
        if checkpoint is None or trainer.began or _is_of_machine(error):
            raise
        logger.warning("%s can't be loaded and is dropped: %s", checkpoint, error)
        return None
    losses = tuple(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)
    trained: Any = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    if rank:
        trained = trained.merge_and_unload()
    return Trained(trained.requires_grad_(False).eval(), tokenizer, losses)


def _is_of_machine(error: Exception) -> bool:
    """Whether memory, a device or a file system failed, so that the checkpoint may be whole."""
    if isinstance(error, OSError):
        # Libraries raise it without a number for files that are no checkpoint.
        return error.errno is not None and not isinstance(error, FileNotFoundError)
    # torch has no type for a lack of memory on CPUs.
    return isinstance(error, OUT_OF_ORDER) or "can't allocate memory" in str(error)


def _loading(settings: EvaluationConfig, on_gpu: bool, revision: str | None) -> Loading:
    """Weights that are trained themselves are float32: updates are too small for fewer bits."""
    device = "cuda" if on_gpu else "cpu"
    dtype = str(settings.dtype) if settings.lora_rank else "float32"
    return Loading(dtype, device, revision=revision)


def _trainer(
    model: Any,
    tokenizer: Any,
    steps: Sequence[Sequence[Span]],
    training_seed: int,
    settings: EvaluationConfig,
    rank: int,
    folder: Path,
) -> Any:
    from datasets import Dataset
    from trl import SFTConfig

    from staragents.evaluation.step_trainer import IGNORED, StepTrainer

    spans = [span for step in steps for span in step]
    rows = Dataset.from_dict(
        {
            "input_ids": [list(span.ids) for span in spans],
            "labels": [[IGNORED] * span.start + list(span.ids[span.start :]) for span in spans],
        }
    )
    starts = accumulate((len(step) for step in steps[:-1]), initial=0)
    on_gpu = model.device.type == "cuda"
    half = {"bfloat16": "bf16", "float16": "fp16", "auto": "bf16" if on_gpu else ""}.get(settings.dtype, "")
    options = SFTConfig(
        output_dir=str(folder),
        num_train_epochs=1,
        max_steps=len(steps),
        learning_rate=cast(float, settings.learning_rate),
        lr_scheduler_type="cosine",
        warmup_steps=round(settings.warmup * len(steps)),
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=half == "bf16",
        fp16=half == "fp16",
        use_cpu=not on_gpu,
        gradient_checkpointing=model.num_parameters() > LARGE,
        seed=training_seed,
        data_seed=training_seed,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    if not rank:
        model.requires_grad_(True)
    return StepTrainer(
        [range(start, start + len(step)) for start, step in zip(starts, steps, strict=True)],
        GPU_PART_TOKENS if on_gpu else CPU_PART_TOKENS,
        model=model,
        args=options,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=_lora(rank) if rank else None,
    )


def _lora(rank: int) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
