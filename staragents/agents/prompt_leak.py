"""Recognises texts that repeat their prompt: its special tokens, words or examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from staragents.agents.labelled_turns import leaks_conversation, leaks_turn
from staragents.agents.prompt_templates import load_prompt, shipped_prompts
from staragents.text.words import words

# Narrower than in untrusted_text: a false reject loses work, while a space inserted there does no harm.
_CONTROL = r"<[|\uff5c][^<>\n]{1,30}[|\uff5c]>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|<unused\d+>"

_REWRITE_MARKERS = re.compile(
    rf"{_CONTROL}|\b(?:new|rewritten|revised|given|original|last) instructions?\b"
    r"|\brewrite (?:each|the|this) instruction\b|\bdo not answer it\b|\bthe instruction(?: is|:)",
    re.IGNORECASE,
)
_ANSWER_MARKERS = re.compile(
    # Not \W*, which would scan from every line to the next word: quadratic in empty lines.
    rf"{_CONTROL}|^[^\w\n]*instruction:|reply with the new instruction",
    re.IGNORECASE | re.MULTILINE,
)

# HTML strikethrough, and a quoted tag. A model that leaks its tokens wraps its whole text instead.
_STRUCK = re.compile(r"<s>[^<>\n]{1,200}</s>|`</?s>`")
_EDGES = re.compile(r"^\W+|\W+$")

PHRASE_WORDS = 8


def leaks_in_rewrite(rewritten: str, seed_instruction: str) -> bool:
    """Whether a rewrite contains a marker of its prompt that the seed's instruction does not, or a phrase of
    the prompts' examples."""
    if _leaks(rewritten, seed_instruction, _REWRITE_MARKERS) or leaks_conversation(
        rewritten, seed_instruction
    ):
        return True
    return bool(_example_phrases() & set(_phrases(rewritten)))


def leaks_in_answer(answer: str, instruction: str) -> bool:
    """Whether an answer contains a marker of its prompt that the instruction does not."""
    return _leaks(answer, instruction, _ANSWER_MARKERS) or leaks_turn(answer, instruction)


def _leaks(text: str, source: str, markers: re.Pattern[str]) -> bool:
    """Whether the text contains a marker that its source does not."""
    known = source.casefold()
    text = text if _STRUCK.fullmatch(text.strip()) else _STRUCK.sub(" ", text)
    return any(_core(match[0].casefold()) not in known for match in markers.finditer(text))


def _core(marker: str) -> str:
    """A marker without surrounding punctuation, unless only one character would be left (`</s>`)."""
    core = _EDGES.sub("", marker)
    return core if len(core) > 1 else marker


def _phrases(text: str) -> Iterator[tuple[str, ...]]:
    found = words(text)
    return zip(*(found[start:] for start in range(PHRASE_WORDS)), strict=False)


@cache
def _example_phrases() -> frozenset[tuple[str, ...]]:
    """Phrases of the example turns in our own prompts, which small models sometimes copy."""
    return frozenset(
        phrase
        for name in shipped_prompts("instruction")
        for turn in load_prompt("instruction", name).render(instruction="", history="").turns
        if turn.role == "assistant"
        for phrase in _phrases(turn.content)
    )
