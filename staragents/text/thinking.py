"""Splits what a model thought from what it answered, by the markup that models write into their text.

Only markup at the start of a text is a thought: an answer may explain, quote or write `<think>` later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from staragents.text import harmony

# `<think>`, `<seed:think>`, `<mm:think>`, `<ifm|think_fast>`, `<think:opensource>`, `<longcat_think>` ...
_NAME = r"(?:[a-z]{1,20}[:_|])?(?:think(?:ing)?|thoughts?|reason(?:ing)?)(?:_fast(?:er)?|:[a-z0-9]{1,40})?"
_PAIRS = {
    "[THINK]": "[/THINK]",
    "\u25c1think\u25b7": "\u25c1/think\u25b7",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|inner_prefix|>": "<|inner_suffix|>",
    "<|channel>thought": "<channel|>",
    "<|plamo:begin_think:plamo|>": "<|plamo:end_think:plamo|>",
    "<|open|>think<|sep|>": "<|close|>think<|sep|>",
}
"""Opening and closing markup of families that don't use `<name>` and `</name>`."""

_OPENING = "|".join((rf"<(?i:{_NAME})>", *map(re.escape, _PAIRS)))
_CLOSING = "|".join((rf"</(?i:{_NAME})>", *map(re.escape, _PAIRS.values())))
# Counts are bounded and alternatives begin differently, so the time is linear in the text.
_TAG = rf"(?P<opening>{_OPENING})|(?P<closing>{_CLOSING})"
_IN_CODE = re.compile(_TAG)
_TOKEN = re.compile(
    rf"(?P<fence>^[ \t]{{0,3}}(?:`{{3,}}|~{{3,}}))|(?P<code>`[^`\n]{{1,200}}`)|{_TAG}", re.MULTILINE
)
_FIRST = re.compile(rf"\s*(?P<tag>{_OPENING})")
_LAST = re.compile(rf"(?:{_OPENING}|{re.escape(harmony.ANALYSIS)})\s*\Z")
_CLOSED = re.compile(rf"(?:{_CLOSING})\s*\Z")
_TAIL = 100
"""Longest end of a prompt in which a tag is looked for."""

_THOUGHT_PROCESS = re.compile(r"\s*Here(?:'s| is) my thought process:")
_MARKUP = re.compile(rf"{_OPENING}|<\|channel\|>|my thought process")
_RESPONSE = re.compile(r"Here(?:'s| is) my response:")
_WRAPPERS = re.compile(r"\s*<(?P<name>answer|response|solution|final_answer)>", re.IGNORECASE)
_MARKED = {"<|begin_of_solution|>": "<|end_of_solution|>", "<|START_RESPONSE|>": "<|END_RESPONSE|>"}
"""Special tokens around an answer, which no ordinary text contains."""

# A text may quote a closing tag instead of using it: "the </think> tag", "(</think>)".
_QUOTES = dict(zip("\"'(\u2018\u201c\u00ab", "\"')\u2019\u201d\u00bb", strict=True))
_QUOTED_BEFORE = re.compile(r"\b(?:the|an?|and|or|with|by|tags?|tokens?)[ ]\Z", re.IGNORECASE)
_QUOTED_AFTER = re.compile(r"[ ](?:tags?|tokens?|markers?|elements?)\b", re.IGNORECASE)
_AROUND = 12
"""Characters on each side of a tag that tell whether it is quoted."""
_BLOCKS = 64
"""Most blocks of thought at the start of one text; bounds the time for hostile text."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """A text in two parts. `answer` is the text itself if it has no thought.

    `start` is the index in the text at which the answer begins. `found` says whether there was any markup,
    also around an empty thought; `cut_off` that the thought never ended, so that there is no answer.
    """

    reasoning: str
    answer: str
    start: int = 0
    found: bool = False
    cut_off: bool = False


def opening_tag(prompt: str) -> str:
    """The tag at the end of a rendered prompt that makes the model begin within a thought, or nothing."""
    found = _LAST.search(prompt[-_TAIL:])
    return found[0].strip() if found else ""


def closes_thought(prompt: str) -> bool:
    """Whether the end of a rendered prompt closes a thought, so that the model answers at once."""
    return _CLOSED.search(prompt[-_TAIL:]) is not None


def mentions_thoughts(template: str) -> bool:
    """Whether a chat template contains the markup of thoughts."""
    return _MARKUP.search(template) is not None


def shows_thought(text: str) -> bool:
    """Whether a tag of a thought stands on a line of its own outside code, as when a model thinks again."""
    return any(not is_quoted and _is_a_line(text, *found.span()) for found, is_quoted in _tags(text, 0))


def split_thinking(text: str, opened: str = "", truncated: bool = False) -> Thinking:
    """Split a generated text. `opened`: the `opening_tag` of its prompt. `truncated`: whether it ended at a
    token limit, which tells a cut-off thought from an answer where a family has no tags. Never raises."""
    whole = opened + text
    split = _harmony(whole) or _thought_process(whole, truncated) or _tagged(whole) or _tail_only(whole)
    if split is None and whole.lstrip().startswith(tuple(_MARKED)):
        split = _unwrapped(whole, 0, [], whole)
    if split is None:
        return Thinking("", text)
    return Thinking(split.reasoning, split.answer, max(0, split.start - len(opened)), True, split.cut_off)


def _harmony(text: str) -> Thinking | None:
    parts = harmony.split(text)
    if parts is None:
        return None
    reasoning, answer, start = parts
    if start is None:
        return Thinking(reasoning, "", len(text), cut_off=True)
    return _unwrapped(text, start, [reasoning], answer)


def _thought_process(text: str, truncated: bool) -> Thinking | None:
    """Granite 3: sentences instead of tags."""
    begin = _THOUGHT_PROCESS.match(text)
    if begin is None:
        return None
    end = _RESPONSE.search(text, begin.end())
    if end is not None:
        return _unwrapped(text, end.end(), [text[begin.end() : end.start()]], text[end.end() :])
    return Thinking(text[begin.end() :].strip(), "", len(text), cut_off=True) if truncated else None


def _tagged(text: str) -> Thinking | None:
    """Blocks of thought at the start of the text."""
    thoughts: list[str] = []
    position, closing = 0, ""
    for _ in range(_BLOCKS):
        begin = _FIRST.match(text, position)
        if begin is None:
            break
        while (again := _FIRST.match(text, begin.end())) and again["tag"] == begin["tag"]:
            begin = again
        closing = _closing_of(begin["tag"])
        end = _end(text, begin.end(), closing)
        if end is None:
            thoughts.append(text[begin.end() :])
            return Thinking(_joined(thoughts), "", len(text), cut_off=True)
        thoughts.append(text[begin.end() : end[0]])
        position = end[1]
    if not thoughts:
        return None
    return _after(text, position, thoughts, closing)


def _tail_only(text: str) -> Thinking | None:
    """A closing tag whose opening tag was part of the prompt."""
    end = _unopened(text, 0, "")
    if end is None:
        return None
    return _after(text, end[1], [text[: end[0]]], text[slice(*end)])


def _after(text: str, position: int, thoughts: list[str], closing: str) -> Thinking:
    """The answer at `position`, or behind the closing tag if it comes again: twice, or quoted before."""
    while (again := _unopened(text, position, closing)) is not None:
        thoughts.append(text[position : again[0]])
        position = again[1]
    return _unwrapped(text, position, thoughts, text[position:])


def _end(text: str, start: int, closing: str) -> tuple[int, int] | None:
    """Span of the first closing tag, if possible of one that is not quoted."""
    quoted: tuple[int, int] | None = None
    for found, is_quoted in _tags(text, start):
        if found.lastgroup == "closing" and _same(found[0], closing):
            if not is_quoted:
                return found.span()
            quoted = quoted or found.span()
    return quoted


def _unopened(text: str, start: int, closing: str) -> tuple[int, int] | None:
    """Span of the first closing tag (of any family without `closing`) that no opening tag precedes."""
    for found, is_quoted in _tags(text, start):
        if is_quoted:
            continue
        if found.lastgroup == "opening":
            return None
        if not closing or _same(found[0], closing):
            return found.span()
    return None


def _tags(text: str, start: int) -> Iterator[tuple[re.Match[str], bool]]:
    """Tags of thoughts, each with whether it is quoted, by code or by words."""
    in_fence = False
    for found in _TOKEN.finditer(text, start):
        if found.lastgroup == "fence":
            in_fence = not in_fence
        elif found.lastgroup == "code":
            yield from ((tag, True) for tag in _IN_CODE.finditer(text, *found.span()))
        else:
            yield found, in_fence or _is_quoted(text, *found.span())


def _is_a_line(text: str, start: int, end: int) -> bool:
    return text[max(0, start - 1) : start] in ("", "\n") and text[end : end + 1] in ("", "\n")


def _is_quoted(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    if before and _QUOTES.get(before[-1]) == after[:1]:
        return True
    return bool(_QUOTED_BEFORE.search(before) or _QUOTED_AFTER.match(after))


def _closing_of(opening: str) -> str:
    return _PAIRS.get(opening) or f"</{opening[1:]}"


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _joined(thoughts: list[str]) -> str:
    return "\n\n".join(stripped for thought in thoughts if (stripped := thought.strip()))


def _unwrapped(text: str, position: int, thoughts: list[str], answer: str) -> Thinking:
    """The answer without `<answer>` or the like around it. `position`: where it begins in the text."""
    marked = next((mark for mark in _MARKED if answer.lstrip().startswith(mark)), None)
    wrapper = _WRAPPERS.match(answer)
    if marked is not None:
        begin, closing = answer.index(marked) + len(marked), _MARKED[marked]
    elif wrapper is not None:
        begin, closing = wrapper.end(), f"</{wrapper['name']}>"
    else:
        begin, closing = 0, ""
    inside = answer[begin:]
    if closing:
        before, found, after = inside.rpartition(closing)
        inside = before.rstrip() + after if found else inside
    stripped = inside.lstrip()
    start = position + begin + len(inside) - len(stripped)
    return Thinking(_joined(thoughts), stripped, min(start, len(text)))
