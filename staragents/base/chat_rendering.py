"""Renders turns with a tokenizer's chat template, to the same prompt every day."""

from __future__ import annotations

from datetime import datetime
from typing import Any

TODAY = datetime(2024, 7, 26)
"""What templates that print today's date (Llama 3.2, SmolLM3, gpt-oss) print: the date that Llama's have
where they are told none. With the real one, the same command would train and measure students, score rows
and ask a judge on other prompts every day."""


def date_in_template(form: str) -> str:
    """`strftime_now` of chat templates, for which transformers takes the clock."""
    return TODAY.strftime(form)


def rendered(tokenizer: Any, turns: list[dict[str, str]], **options: Any) -> Any:
    """As `tokenizer.apply_chat_template` with `options`, on the day `TODAY`."""
    return tokenizer.apply_chat_template(turns, strftime_now=date_in_template, **options)
