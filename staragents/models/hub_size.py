"""Reads a model's number of parameters from the hub, without its weights."""

from __future__ import annotations

from pathlib import Path


def hub_parameters(model: str, revision: str | None = None) -> int | None:
    """The parameters of a hub id at a commit, counted as `size_of` counts those of files: by the headers of
    its safetensors. None for a folder, and for a repository without safetensors. Raises the hub's errors."""
    if Path(model).is_dir():
        return None
    from huggingface_hub import get_safetensors_metadata  # takes as long as the rest of `validate`
    from huggingface_hub.errors import NotASafetensorsRepoError, SafetensorsParsingError

    try:
        return sum(get_safetensors_metadata(model, revision=revision).parameter_count.values())
    except (NotASafetensorsRepoError, SafetensorsParsingError):
        return None
