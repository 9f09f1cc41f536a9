"""Tiny random models with a tokenizer trained on the spot, and the naive loop for comparison."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from staragents.base.messages import Message
from staragents.scoring.ifd import ScoreRow

TEXTS = [
    ("Name a fruit.", "An apple is a fruit."),
    ("Translate into Chinese: good morning", "\u65e9\u4e0a\u597d\uff0c\u5f88\u9ad8\u5174\u89c1\u5230\u4f60"),
    ("Smile!", "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 !"),
    ("Write code.", "\n\n    x = 1\n"),
    ("Count.", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16"),
    ("", "Nobody asked for this."),
    ("Name a fruit.", "An apple is a fruit."),
]


def rows(texts: list[tuple[str, str]]) -> list[ScoreRow]:
    return [ScoreRow((Message("user", prompt), Message("assistant", answer))) for prompt, answer in texts]


def save_tokenizer(folder: Path, with_bos: bool = True) -> PreTrainedTokenizerFast:
    """Bytes as tokens: any text is representable, and an emoji is several tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(["<s>", "</s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>" if with_bos else None, eos_token="</s>"
    )
    fast.save_pretrained(folder)
    return fast


def naive_nlls(path: str, prompt: str, answer: str, anchor: int = 0) -> tuple[float, float]:
    """Mean nats per token with and without the prompt: two forward passes, full logits. Tokens are bytes."""
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(path)
    answer_ids = tokenizer.encode(answer, add_special_tokens=False)
    means = []
    for context in ([anchor, *tokenizer.encode(prompt, add_special_tokens=False)], [anchor]):
        with torch.no_grad():
            logits = model(torch.tensor([context + answer_ids])).logits[0]
        logprobs = torch.log_softmax(logits.float(), dim=-1)
        total = sum(logprobs[len(context) - 1 + i, token].item() for i, token in enumerate(answer_ids))
        means.append(-total / len(answer_ids))
    return means[0], means[1]
