"""Loads a causal language model and its tokenizer from disk or hub onto a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from staragents.base.absent_module import absent
from staragents.base.errors import BadInput, TemporaryFailure
from staragents.models.tokenizer_loading import load_tokenizer

# transformers would import scikit-learn, which it uses to generate with a draft model, and with it pandas:
# two seconds of CPU time before the first row is scored.
with absent("sklearn"):
    from transformers import AutoModelForCausalLM


@dataclass(frozen=True, slots=True)
class Loading:
    """How the weights are loaded.

    `dtype`: a torch name, or auto: bfloat16 on CUDA, float32 on a CPU. `device`: cpu, cuda, cuda:1 ..., or
    auto: the GPU if there is one. `device_map`: auto splits a model across the GPUs (accelerate). `adapter`:
    a LoRA adapter to apply (peft). `quantization`: 8bit or 4bit (bitsandbytes). `revision` and
    `adapter_revision`: the commits of hub ids; None: what the default branch has now.
    """

    dtype: str = "auto"
    device: str = "auto"
    device_map: str | None = None
    adapter: str | None = None
    quantization: str | None = None
    revision: str | None = None
    adapter_revision: str | None = None


def load(path: str, loading: Loading) -> tuple[Any, Any]:
    """Model (evaluation mode, no gradients) and tokenizer. Never executes code from the model's folder.

    Raises BadInput if the model, its adapter or a package it needs can't be loaded, TemporaryFailure if the
    hub was too slow or too busy.
    """
    device = _device(loading.device)
    source = {"trust_remote_code": False, "revision": loading.revision or "main"}
    options: dict[str, Any] = {"dtype": _dtype(loading.dtype, device)}
    if loading.device_map is not None or loading.quantization is not None:
        # A map spreads the weights over all GPUs that it sees.
        options["device_map"] = {"": device} if device == "cpu" else loading.device_map or {"": device}
    try:
        if loading.quantization is not None:
            options["quantization_config"] = _quantization(loading.quantization)
        tokenizer = load_tokenizer(path, loading.revision)
        model: Any = AutoModelForCausalLM.from_pretrained(path, **source, **options)
        if loading.adapter is not None:
            model.load_adapter(loading.adapter, adapter_kwargs={"revision": loading.adapter_revision})
        if "device_map" not in options:
            model.to(device)
    except BadInput:
        raise
    except Exception as error:  # safetensors, peft and bitsandbytes raise their own error types
        raise load_failure(f"can't load the model {path}", error) from error
    return model.requires_grad_(False).eval(), tokenizer


def load_failure(what: str, error: BaseException) -> BadInput | TemporaryFailure:
    """What to raise when a model or a part of it can't be loaded: TemporaryFailure if the hub was too slow or
    too busy."""
    failure = TemporaryFailure if _is_passing(error) else BadInput
    return failure(f"{what}: {' '.join(str(error).split())}")


def _is_passing(error: BaseException | None) -> bool:
    """Whether a hub did not answer in time, had too many requests or failed itself, by the whole chain of
    errors: the same call may succeed later."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int) and (status in (408, 429) or status >= 500):
            return True
        # The hub's library decides which HTTP client raises it.
        if any("Timeout" in kind.__name__ for kind in type(error).__mro__):
            return True
        error = error.__cause__ or error.__context__
    return False


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise BadInput(f"device: expected auto, cpu, cuda or cuda:N, got {name!r}") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BadInput(f"device: expected a GPU for {name}, found {torch.cuda.device_count()}")
    return name


def _dtype(name: str, device: str) -> torch.dtype:
    if name == "auto":
        return torch.bfloat16 if device.startswith("cuda") else torch.float32
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise BadInput(f"dtype: expected auto, float32, bfloat16 or float16, got {name!r}")
    return dtype


def _quantization(bits: str) -> Any:
    from transformers import BitsAndBytesConfig

    if bits not in ("8bit", "4bit"):
        raise BadInput(f"quantization: expected 8bit or 4bit, got {bits!r}")
    return BitsAndBytesConfig(
        load_in_8bit=bits == "8bit", load_in_4bit=bits == "4bit", bnb_4bit_compute_dtype=torch.bfloat16
    )
