"""A real tokenizer of a chat template, whose tokens do not matter."""

from __future__ import annotations

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

TURNS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
GENERATION = "{% if add_generation_prompt %}<assistant>{% endif %}"

DATED = "{% if strftime_now is defined %}<{{ strftime_now('%d %b %Y') }}>{% endif %}" + TURNS + GENERATION
"""Prints today's date, as those of Llama 3.2, SmolLM3 and gpt-oss."""


def chat_tokenizer(template: str = TURNS + GENERATION) -> PreTrainedTokenizerFast:
    """It renders `template` as scoring does, with the settings and functions of transformers."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
    tokenizer.chat_template = template
    return tokenizer
