"""The channels of gpt-oss's harmony format, with its special tokens or without them."""

from __future__ import annotations

import re
from itertools import pairwise

ANALYSIS = "<|channel|>analysis<|message|>"
"""Begins a thought."""
_START = r"<\|start\|>(?P<author{}>assistant|functions\.[^\s<]{{1,100}}|tool)(?:\s+to=[^\s<]{{1,100}})?\s*"
_CHANNEL = (
    r"<\|channel\|>\s*(?P<channel>analysis|commentary|final)\b(?:\s*to=[^\s<]{1,100})?"
    r"(?:\s*<\|constrain\|>\s*\w{0,20}|\s+(?:json|code)\b)?\s*(?:<\|message\|>)?"
)
_HEADER = re.compile(rf"(?:{_START.format(1)})?{_CHANNEL}|{_START.format(2)}(?:<\|message\|>|\Z)")
"""Begins a message. One of the assistant without a channel is the answer. In an answer, other tokens are text
about them."""
_END = re.compile(r"<\|(?:end|return|call)\|>\s*\Z")
# What is left of the channels when a server removes special tokens. Without its end only words can be a
# thought, as a name in code may begin with the same letters.
_BARE = re.compile(r"\s*(?:analysis|(?=assistantfinal))")
_BARE_WORDS = re.compile(r"\s*analysis(?=[\"'(]?[A-Z][\w'\u2019]*,? [\w\"'(])")
_BARE_FINAL = "assistantfinal"


def split(text: str) -> tuple[str, str, int | None] | None:
    """Reasoning, answer, and the index at which the answer begins; None for this if no answer was begun.
    None if the text is not in this format."""
    if _HEADER.match(text.lstrip()):
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
    headers = list(_HEADER.finditer(text))
    ends = [following.start() for _, following in pairwise(headers)]
    for header, end in zip(headers, [*ends, len(text)], strict=True):
        if header["channel"]:
            is_answer = header["channel"] == "final"
        else:
            is_answer = header["author2"] == "assistant" and "<|message|>" in header[0]
        if is_answer and start is None:
            start = header.end()
        body = text[header.end() : end]
        if ending := _END.search(body):
            body = body[: ending.start()].rstrip()
        (answers if is_answer else thoughts).append(body)
    reasoning = "\n".join(stripped for thought in thoughts if (stripped := thought.strip()))
    return reasoning, "\n\n".join(filter(str.strip, answers)), start
