"""How big a model is, from the headers of its files: nothing is loaded and no hub is asked."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache

from staragents.packaged_models import ALIASES, PACKAGED

INDEX = "model.safetensors.index.json"
# A header is some hundred bytes a tensor; a file that claims more than this is not one.
LONGEST_HEADER = 100 << 20


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What decides a model's memory."""

    parameters: int
    stored_bytes: int
    quantised: bool
    layers: int
    kv_heads: int
    head_size: int

    def weight_bytes(self, bytes_each: float) -> int:
        """Of the loaded weights; those of a quantised checkpoint stay as they are stored."""
        return self.stored_bytes if self.quantised else round(self.parameters * bytes_each)

    def kv_bytes_a_token(self, bytes_each: int = 2) -> int:
        """Key and value of every layer and KV head. An upper bound where layers have sliding windows."""
        return 2 * self.layers * self.kv_heads * self.head_size * bytes_each


def size_of(model: str) -> ModelSize | None:
    """By the name a config gives: a folder, a packaged model that is converted, a hub id that is downloaded.

    None where that can't be known without loading or downloading anything.
    """
    config_file = _find(model, "config.json")
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
        # Another kind of file than ours to read: the engine will say what it makes of it.
        return None


def _weight_files(model: str) -> Iterator[Path]:
    index = _find(model, INDEX)
    names = ["model.safetensors"]
    if index is not None:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    for name in names:
        file = _find(model, name)
        if file is None:
            raise FileNotFoundError(name)
        yield file


def _header(file: Path) -> dict[str, Any]:
    """The JSON before the weights: 8 bytes of length, then names, shapes, types and places."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > LONGEST_HEADER:
            raise ValueError(f"{file}: a header of {length} bytes")
        return json.loads(stream.read(length))


def _find(model: str, name: str) -> Path | None:
    model = ALIASES.get(model, model)
    folder = PACKAGED[model].converted_folder if model in PACKAGED else Path(model).expanduser()
    if model in PACKAGED or folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    try:
        cached = try_to_load_from_cache(model, name)
    except ValueError:
        return None  # no hub id
    return Path(cached) if isinstance(cached, str) else None
