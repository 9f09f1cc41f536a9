"""Llama models with random weights and bytes as tokens: nothing to download."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

# (layers, hidden, inner, heads, key/value heads, vocabulary size)
SIZES = {
    "llama-7b": (32, 4096, 11008, 32, 32, 32000),
    "llama-1b": (16, 2048, 8192, 32, 8, 128256),
    "tiny": (2, 64, 128, 4, 2, 512),
}


def save_random(name: str, folder: str, device: str) -> None:
    """Save the model of a size in `SIZES`, in bfloat16 if `device` is cuda, else in float32."""
    layers, hidden, inner, heads, kv_heads, vocab_size = SIZES[name]
    config = LlamaConfig(
        num_hidden_layers=layers, hidden_size=hidden, intermediate_size=inner, num_attention_heads=heads,
        num_key_value_heads=kv_heads, vocab_size=vocab_size, max_position_embeddings=4096,
    )  # fmt: skip
    save(LlamaForCausalLM, config, folder, device, torch.bfloat16 if device == "cuda" else torch.float32)


def save(kind: Any, config: Any, folder: str, device: str, dtype: torch.dtype) -> None:
    """Save a new model of class `kind` and a tokenizer with a token for each byte."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            kind(config).save_pretrained(folder)
    finally:
        torch.set_default_dtype(before)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<s>", "</s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.save_pretrained(folder)
