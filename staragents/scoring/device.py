"""Which device torch gets to see."""

from __future__ import annotations

import os
import re

from staragents.errors import BadInput

_DEVICE = re.compile(r"auto|cpu|cuda(:(\d+))?")


def see_device(device: str) -> None:
    """Let torch, not used yet, see `cpu` or one GPU only; `auto` shows it all.

    Raises BadInput for a name that is none, or without a GPU.
    """
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
