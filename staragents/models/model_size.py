"""Reads a model's size from its file headers, without loading it or contacting a hub."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staragents.models.packaged_models import ALIASES, PACKAGED

INDEX = "model.safetensors.index.json"
# A header has a few hundred bytes per tensor; a file that claims more than this is not safetensors.
LONGEST_HEADER = 100 << 20
GIB = 2**30


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The numbers that determine a model's memory use."""

    parameters: int
    stored_bytes: int
    quantised: bool
    layers: int
    kv_heads: int
    head_size: int

    def weight_bytes(self, bytes_each: float) -> int:
        """Size of the loaded weights. A quantised checkpoint keeps its stored size."""
        return self.stored_bytes if self.quantised else round(self.parameters * bytes_each)

    def kv_bytes_a_token(self, bytes_each: int = 2) -> int:
        """Keys and values of all layers and KV heads. An upper bound for layers with sliding-window
        attention."""
        return 2 * self.layers * self.kv_heads * self.head_size * bytes_each


def bytes_per_weight(dtype: str, on_gpu: bool) -> int:
    """`auto` is float32 on a CPU and a type of 16 bits on a GPU."""
    return 4 if dtype == "float32" or (dtype == "auto" and not on_gpu) else 2


def size_of(model: str) -> ModelSize | None:
    """The size of a model by its name in a config: a folder, a converted packaged model, a cached hub id.

    None if it is unknown without loading or downloading something.
    """
    config_file = find_file(model, "config.json")
    if config_file is None:
        return None
    try:
        config = json.loads(config_file.read_text(encoding="utf-8"))
        config = config.get("text_config") or config
        headers = [_header(file) for file in _weight_files(model)]
        tensors = [tensor for header in headers for name, tensor in header.items() if name != "__metadata__"]
        heads = config["num_attention_heads"]
        return ModelSize(
            parameters=sum(math.prod(tensor["shape"]) for tensor in tensors),
            stored_bytes=sum(tensor["data_offsets"][1] - tensor["data_offsets"][0] for tensor in tensors),
            quantised="quantization_config" in config,
            layers=config["num_hidden_layers"],
            kv_heads=config.get("num_key_value_heads") or heads,
            head_size=config.get("head_dim") or config["hidden_size"] // heads,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Not a format we can read; the engine reports problems itself.
        return None


def _weight_files(model: str) -> Iterator[Path]:
    index = find_file(model, INDEX)
    names = ["model.safetensors"]
    if index is not None:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    for name in names:
        file = find_file(model, name)
        if file is None:
            raise FileNotFoundError(name)
        yield file


def _header(file: Path) -> dict[str, Any]:
    """The JSON before the weights: 8 bytes of length, then names, shapes, dtypes and offsets."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > LONGEST_HEADER:
            raise ValueError(f"{file}: a header of {length} bytes")
        return json.loads(stream.read(length))


def find_file(model: str, name: str) -> Path | None:
    """A file of a model by its name in a config, if it is on disk."""
    model = ALIASES.get(model, model)
    folder = PACKAGED[model].converted_folder if model in PACKAGED else Path(model).expanduser()
    if model in PACKAGED or folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    try:
        from huggingface_hub import try_to_load_from_cache  # takes as long as the rest of `validate`

        cached = try_to_load_from_cache(model, name)
    except ValueError:
        return None  # not a hub id
    return Path(cached) if isinstance(cached, str) else None
