"""Separates what a model thought from what it answered, in one text that holds both."""

from __future__ import annotations

import re
from dataclasses import dataclass

TAGS = ("think", "thinking", "thought", "thoughts", "reasoning", "seed:think")
MARKS = {
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<unused94>thought": "<unused95>",
    "<|channel>thought": "<channel|>",
}
"""Where a thought begins and ends, in the models and datasets that use no tag."""
ANSWER_TAGS = ("answer", "output", "response", "solution", "final_answer")
ANSWER_MARKS = {"<|begin_of_solution|>": "<|end_of_solution|>", "<|START_RESPONSE|>": "<|END_RESPONSE|>"}

_OPEN = re.compile(
    rf"\s*(?:<(?P<tag>{'|'.join(TAGS)})(?:\s[^<>]*)?>|(?P<mark>{'|'.join(map(re.escape, MARKS))})"
    r'|<(?P<box>details) type="reasoning"[^<>]*>\s*(?:<summary>[^<]*</summary>)?)',
    re.IGNORECASE,
)
_END = r"(?:</think>|\[/THINK\]|◁/think▷)"
_LONE_END = re.compile(rf"(?:(?<=\n)|\A)[ \t]*{_END}|{_END}(?=[ \t]*(?:\n|\Z))", re.IGNORECASE)
_BEGINNINGS = ("<", "[", "◁", "analysis", "Here")
_LATER_START = re.compile(r"^[ \t]*<think>", re.IGNORECASE | re.MULTILINE)
_LATER_END = re.compile(r"</think>[ \t]*\n?", re.IGNORECASE)
_SPACE = re.compile(r"\s*")
_QUOTED = re.compile(r"^> ?", re.MULTILINE)
_ANSWER_TAG = re.compile(
    rf"\s*<(?P<tag>{'|'.join(ANSWER_TAGS)})>(?P<text>.*)</(?P=tag)>\s*", re.IGNORECASE | re.DOTALL
)
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(?P<name>\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>(?P<text>.*?)"
    r"(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
_CHANNELS_AS_WORDS = re.compile(r"\s*analysis(?P<thought>.*?)assistantfinal(?P<text>.*)", re.DOTALL)
_SENTENCES = re.compile(
    r"\s*Here(?: is|'s) my thought process:(?P<thought>.*?)Here(?: is|'s) my response:(?P<text>.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer without its thought. `reasoning` is None if there is none; `is_cut`: the thought has no end,
    so there is no answer."""

    content: str
    reasoning: str | None = None
    is_cut: bool = False


def may_think(text: str) -> bool:
    """False for nearly every text without a thought."""
    if text.startswith(_BEGINNINGS) or text[:1].isspace():
        return True
    return "/" in text and ("/think" in text or "/THINK" in text or "/Think" in text)


def spoken(text: str) -> Spoken:
    """Split an assistant's text.

    A thought is at the start, in tags, marks or channels, or it ends with `</think>` at the start or end of a
    line, as of models whose template writes the opening tag. `<think>` further on counts if it begins a line
    outside a code block. A text without a thought stays as it is, to the character.
    """
    if not may_think(text):
        return Spoken(text)
    if text.lstrip().startswith(("<|channel|>", "<|start|>assistant")):
        return _channels(text)
    if whole := _CHANNELS_AS_WORDS.fullmatch(text) or _SENTENCES.fullmatch(text):
        return _split([whole["thought"]], whole["text"])
    thoughts: list[str] = []
    start = 0
    lowered = text.lower() if (opened := _OPEN.match(text)) else ""
    # Lower case may have another length, as that of one Turkish letter.
    lowered = lowered if len(lowered) == len(text) else text
    while opened:
        end = _end_of(opened).lower()
        position = lowered.find(end, opened.end())
        if position < 0:
            return Spoken("", _joined([*thoughts, text[opened.end() :]]), is_cut=True)
        thoughts.append(_bare(text[opened.end() : position], opened))
        start = position + len(end)
        # The end of a thought in another.
        while (after := _SPACE.match(lowered, start)) and lowered.startswith(end, after.end()):
            start = after.end() + len(end)
        opened = _OPEN.match(text, start)
    if not thoughts and "/think" in text.lower() and (ended := _lone_end(text)):
        thoughts.append(text[: ended.start()])
        start = ended.end()
    rest = _without_later(text[start:], thoughts)
    return _split(thoughts, rest) if thoughts else Spoken(text)


def _bare(thought: str, opened: re.Match[str]) -> str:
    """A thought without the marks of a quotation or the start of one in it."""
    if opened["box"]:
        return _QUOTED.sub("", thought)
    inner = _OPEN.match(thought)
    return thought[inner.end() :] if inner else thought


def _end_of(opened: re.Match[str]) -> str:
    if tag := opened["tag"] or opened["box"]:
        return f"</{tag}>"
    found = opened["mark"].lower()
    return next(end for start, end in MARKS.items() if start.lower() == found)


def _lone_end(text: str) -> re.Match[str] | None:
    """The end of a thought that has no start. An answer about such tags names both."""
    ended = _LONE_END.search(text)
    return None if ended is None or "<think>" in text.lower() or _in_code(text, ended.start()) else ended


def _without_later(text: str, thoughts: list[str]) -> str:
    """The text without the thoughts that begin a line in it, which are appended to `thoughts`."""
    if "<think>" not in text and "<think>" not in text.lower():
        return text
    kept: list[str] = []
    start = 0
    while opened := _LATER_START.search(text, start):
        ended = _LATER_END.search(text, opened.end())
        if ended is None:
            break
        before = text[start : opened.start()]
        if _in_code(before, len(before)):
            # To the end of the code.
            after = text.find("```", opened.end()) + 3
            if after < 3:
                break
            kept.append(text[start:after])
            start = after
            continue
        kept.append(before)
        thoughts.append(text[opened.end() : ended.start()])
        start = ended.end()
    return "".join([*kept, text[start:]])


def _in_code(text: str, position: int) -> bool:
    return text.count("```", 0, position) % 2 == 1


def _channels(text: str) -> Spoken:
    """Channels of the harmony format: `final` is the answer, the others are the thought."""
    thoughts: list[str] = []
    answers: list[str] = []
    for found in _CHANNEL.finditer(text):
        (answers if found["name"] == "final" else thoughts).append(found["text"])
    if not answers:
        return Spoken("", _joined(thoughts), is_cut=True) if thoughts else Spoken(text)
    return Spoken(_joined(answers) or "", _joined(thoughts))


def _split(thoughts: list[str], rest: str) -> Spoken:
    return Spoken(_unwrapped(rest), _joined(thoughts))


def _unwrapped(text: str) -> str:
    """The answer without the tags or marks around all of it."""
    text = text.strip()
    if whole := _ANSWER_TAG.fullmatch(text):
        return whole["text"].strip()
    for start, end in ANSWER_MARKS.items():
        if text.startswith(start):
            return text.removeprefix(start).removesuffix(end).strip()
    return text


def _joined(thoughts: list[str]) -> str | None:
    return "\n\n".join(filter(None, (thought.strip() for thought in thoughts))) or None
