"""The channels of gpt-oss's harmony format, with its special tokens or without them."""

from __future__ import annotations

import re

ANALYSIS = "<|channel|>analysis<|message|>"
"""Begins a thought."""
_MARK = re.compile(r"<\|(start|channel|constrain|message|end|return|call)\|>")
_BEGIN = re.compile(r"(?:<\|start\|>assistant\s*)?<\|channel\|>\s*(?:analysis|commentary|final)\b")
_HEADER = re.compile(r"\s*(?P<name>analysis|commentary|final)(?:\s+to=\S+)?(?:\s+(?:json|code))?\s*")
# What is left of the channels when a server removes special tokens. Without its end only words can be a
# thought, as a name in code may begin with the same letters.
_BARE = re.compile(r"\s*analysis")
_BARE_WORDS = re.compile(r"\s*analysis(?=[\"'(]?[A-Z][\w'\u2019]*,? [\w\"'(])")
_BARE_FINAL = "assistantfinal"


def split(text: str) -> tuple[str, str, int | None] | None:
    """Reasoning, answer, and the index at which the answer begins; None for this if no answer was begun.
    None if the text is not in this format."""
    if _BEGIN.match(text.lstrip()):
        return _channels(text)
    if bare := _BARE.match(text):
        thought, found, answer = text[bare.end() :].partition(_BARE_FINAL)
        if not found and not _BARE_WORDS.match(text):
            return None
        start = bare.end() + len(thought) + len(_BARE_FINAL)
        return thought.strip(), answer, start if found else None
    return None


def _channels(text: str) -> tuple[str, str, int | None]:
    """The final channel is the answer; everything else was thought or said to tools."""
    thoughts: list[str] = []
    answers: list[str] = []
    start: int | None = None
    channel, into = "", thoughts
    marks = list(_MARK.finditer(text))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        part = text[mark.end() : following.start() if following else len(text)]
        if mark[1] in ("channel", "start"):
            header = _HEADER.fullmatch(part) if mark[1] == "channel" else None
            channel = header["name"] if header else ""
            if mark[1] == "channel" and not header:
                thoughts.append(part)
        elif mark[1] == "message":
            into = answers if channel == "final" else thoughts
            start = mark.end() if channel == "final" and start is None else start
            into.append(part)
        elif mark[1] != "constrain" and part.strip():
            into.append(part)
    reasoning = "\n".join(stripped for thought in thoughts if (stripped := thought.strip()))
    return reasoning, "\n\n".join(filter(str.strip, answers)), start
