"""Recognises turns that a model imagined: a conversation as text, with labels such as `User:`."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Side = Literal["user", "assistant"]
_SIDES: dict[str, Side] = {"user": "user", "human": "user", "assistant": "assistant"}

# An entry of a list (`- User: ...`) and a class of CSS (`.user:hover`) are no turns.
_LABEL = re.compile(r"^[ \t#>]*[*_\"'\[(]*(?P<name>[^\W_]+(?:[ .'-]+[^\W_]+)?)\**:", re.MULTILINE)
_SENTENCE = re.compile(r"[.!?\u3002\uff01\uff1f][\"'\u201d)*_]*\s*\Z")
_END = 20
"""Characters that show how a text ends."""


class _Label(NamedTuple):
    name: str
    start: int

    @property
    def side(self) -> Side | None:
        """None for a name that our prompts don't use."""
        return _SIDES.get(self.name)


def is_conversation(instruction: str) -> bool:
    """Whether an instruction has an assistant's turn: it begins with one, or that answers what comes before.

    A form to fill in (`in this format:\\nUser: ...`) and a list of names are no conversation.
    """
    text = instruction.strip()
    labels = _labels(text)
    if not labels:
        return False
    first = labels[0]
    if first.start == 0 and first.side == "user":
        return any(label.side == "assistant" for label in labels)
    return first.side == "assistant" and (first.start == 0 or _is_sentence(text[: first.start]))


def leaks_conversation(rewritten: str, seed_instruction: str) -> bool:
    """Whether a rewrite is a conversation that the seed's instruction is not."""
    return is_conversation(rewritten) and any(
        label.side and not re.search(rf"\b{label.name}\**:", seed_instruction, re.IGNORECASE)
        for label in _labels(rewritten.strip())
    )


def leaks_turn(answer: str, instruction: str) -> bool:
    """Whether an answer has a turn of ours whose label is no word of the instruction. A dialogue has other
    names too: `Human: ...\\nChatbot: ...`."""
    text = answer.strip()
    labels = _labels(text)
    if _is_dialogue(text, labels):
        return False
    known = instruction.casefold()
    return any(label.side and label.name not in known for label in labels)


def _is_dialogue(text: str, labels: list[_Label]) -> bool:
    """Whether the text consists of turns, one side of which has a name of its own."""
    sides = [label.side for label in labels]
    ours = [number for number, side in enumerate(sides) if side]
    if len({sides[number] for number in ours}) != 1 or sides[0] == "assistant":
        return False
    return None in sides[ours[0] :] and not _is_sentence(text[: labels[0].start])


def _labels(text: str) -> list[_Label]:
    return [_Label(found["name"].casefold(), found.start()) for found in _LABEL.finditer(text)]


def _is_sentence(text: str) -> bool:
    return bool(_SENTENCE.search(text.rstrip()[-_END:]))
