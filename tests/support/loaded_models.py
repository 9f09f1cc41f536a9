"""transformers' own models and tokenizers, loaded once a process: Gemma's tokenizer takes 3 s of CPU."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


@cache
def model_of(folder: str) -> Any:
    """In float32; read-only."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@cache
def tokenizer_of(folder: str) -> Any:
    """Read-only."""
    return AutoTokenizer.from_pretrained(folder)
