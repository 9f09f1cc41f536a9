"""From a model's name to something that scores rows."""

from __future__ import annotations

import os
import re
import sys

from staragents.errors import BadInput
from staragents.packaged_models import resolve_model
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.cached_model import RowModel
from staragents.scoring.fake_ifd_model import FakeIfdModel
from staragents.scoring.identity import model_identity

FAKE = "fake"
_DEVICE = re.compile(r"auto|cpu|cuda(:(\d+))?")
_LONGEST_REASON = 300


def resolve(role: str, name: str) -> str:
    """The model's folder or hub id; `fake` stays. Raises BadInput with the option's name. Loads nothing."""
    if name == FAKE:
        return FAKE
    try:
        return resolve_model(name)
    except BadInput as error:
        raise BadInput(f"--{role}: {error}") from error


def identity(path: str) -> str:
    return model_identity(path)


def load(role: str, path: str, settings: ScoreSettings) -> RowModel:
    """Raises BadInput in one line with the option's name."""
    if path == FAKE:
        return FakeIfdModel(role)
    see_device(settings.device)
    if not sys.stderr.isatty():
        # Bars that redraw themselves only fill a log.
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from staragents.scoring.ifd_model import IfdModel

    try:
        return IfdModel(
            path,
            dtype=settings.dtype,
            threads=len(os.sched_getaffinity(0)),
            template=settings.template,
            convention=settings.convention,
            max_length=settings.max_length,
            batch_tokens=settings.batch_tokens,
            min_answer_tokens=settings.min_tokens,
        )
    except BadInput as error:
        # transformers explains over several lines.
        reason = " ".join(str(error).split())
        short = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
        raise BadInput(f"--{role}: {short}") from error


def see_device(device: str) -> None:
    """Let torch, not loaded yet, see one device only. Raises BadInput for a name that is none."""
    found = _DEVICE.fullmatch(device)
    if found is None:
        raise BadInput(f"--device: expected auto, cpu, cuda or cuda:N, got {device!r}")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif found[2] is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = found[2]
    if device.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            raise BadInput(f"--device: expected a GPU for {device}, found none")
