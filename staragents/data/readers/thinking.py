"""Separates what a model thought from what it answered, in one text of a row that holds both."""

from __future__ import annotations

from dataclasses import dataclass

from staragents.text.thinking import split_thinking


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer without its thought. `reasoning` is None if there is none; `is_cut`: the thought has no end,
    so there is no answer."""

    content: str
    reasoning: str | None = None
    is_cut: bool = False


def spoken(text: str) -> Spoken:
    """Split an assistant's text. A text without a thought stays as it is, to the character."""
    split = split_thinking(text, later=True)
    if not split.found:
        return Spoken(text)
    return Spoken(split.answer.strip(), split.reasoning or None, split.cut_off)
