"""Answers that a student writes to held-out prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from staragents.evaluation.judged_prompt import JudgedPrompt
from staragents.scoring.packing import pack_padded
from staragents.text.special_tokens import special_tokens, without_tokens
from staragents.text.storable import storable
from staragents.text.thinking import split_thinking

CPU_BATCH_TOKENS, GPU_BATCH_TOKENS = 8192, 32_768
"""Padded tokens of the prompts and answers that are generated together: what the key-value cache holds."""


@torch.inference_mode()
def greedy_answers(
    model: Any, tokenizer: Any, prompts: Sequence[JudgedPrompt], answer_tokens: int
) -> dict[str, str]:
    """The answer to every prompt by conversation id: at most `answer_tokens` tokens, without special tokens,
    surrounding white space, and what the student thought before it. May be empty.

    Always the most likely token, whatever the model's own generation config says. Prompts of similar length
    are generated together; the batches depend only on `prompts` and the kind of device. `model` is in
    evaluation mode.
    """
    ends = _ends(model, tokenizer)
    greedy = GenerationConfig(
        do_sample=False,
        num_beams=1,
        use_cache=True,
        max_new_tokens=answer_tokens,
        eos_token_id=sorted(ends),
        pad_token_id=tokenizer.eos_token_id,
    )
    own, model.generation_config = model.generation_config, GenerationConfig()
    budget = CPU_BATCH_TOKENS if model.device.type == "cpu" else GPU_BATCH_TOKENS
    answers = {}
    try:
        for rows in pack_padded([len(one.ids) + answer_tokens for one in prompts], budget):
            batch = [prompts[row] for row in rows]
            found = model.generate(
                **_padded(batch, greedy.pad_token_id, model.device), generation_config=greedy
            )
            longest = max(len(one.ids) for one in batch)
            for one, ids in zip(batch, found[:, longest:].tolist(), strict=True):
                answers[one.conversation_id] = _text(ids, ends, tokenizer)
    finally:
        model.generation_config = own
    return {one.conversation_id: answers[one.conversation_id] for one in prompts}


def _ends(model: Any, tokenizer: Any) -> set[int]:
    """The EOS that students are trained to write, and those of the model's authors: an untrained chat model
    ends its turns with one of them."""
    own = getattr(model.generation_config, "eos_token_id", None)
    more = own if isinstance(own, list) else [] if own is None else [own]
    return {int(tokenizer.eos_token_id), *map(int, more)}


def _padded(batch: Sequence[JudgedPrompt], pad: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Padded on the left, so that all answers begin at the same position."""
    longest = max(len(one.ids) for one in batch)
    rows = [[pad] * (longest - len(one.ids)) + list(one.ids) for one in batch]
    kept = [[0] * (longest - len(one.ids)) + [1] * len(one.ids) for one in batch]
    return {
        "input_ids": torch.tensor(rows, device=device),
        "attention_mask": torch.tensor(kept, device=device),
    }


def _text(ids: list[int], ends: set[int], tokenizer: Any) -> str:
    end = next((index for index, one in enumerate(ids) if one in ends), None)
    written = ids[:end]
    # Special tokens may mark a thought. A text may also spell one out, as HTML does with <s>.
    text = storable(tokenizer.decode(written, skip_special_tokens=False))
    answer = split_thinking(text, truncated=end is None).answer
    generated = {*tokenizer.convert_ids_to_tokens(sorted(set(written)))}
    special = [token for token in special_tokens(tokenizer) if token in generated]
    return without_tokens(answer, special).strip()
