"""Splits what a model thought from what it answered, by the markup in a text: a model's, or that of a row.

A thought is at the start of a text: an answer may explain, quote or write `<think>` later. If a `<think>`
begins a later line outside code, rows of data are split there too (`later`), while the answer of an agent is
rejected (`shows_thought`): the text before it may be part of the thought.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from staragents.text import harmony
from staragents.text import thought_marks as marks

_FIRST = re.compile(rf"\s*(?P<tag>{marks.OPENING})")
_LAST = re.compile(rf"(?:{marks.OPENING}|{re.escape(harmony.ANALYSIS)})\s*\Z")
_CLOSED = re.compile(rf"(?:{marks.CLOSING})\s*\Z")
_TAIL = 100
"""Longest end of a prompt in which a tag is looked for."""
_BEGINNINGS = frozenset("<[\u25c1aH")
"""First characters of everything that begins a thought."""

_THOUGHT_PROCESS = re.compile(r"\s*Here(?:'s| is) my thought process:")
_MARKUP = re.compile(rf"{marks.OPENING}|<\|channel\|>|to=self<\|message\|>|my thought process")
_RESPONSE = re.compile(r"Here(?:'s| is) my response:")
_END_OF_LINE = re.compile(r"[ \t]*\n?")
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
    """Whether a model thinks in its answer: a tag of a thought stands on a line of its own, a whole `<think>`
    begins a line, outside code, or it begins like a thought that has lost its tags."""
    return (
        marks.speaks_of_user(text)
        or any(
            not is_quoted and marks.is_a_line(text, *found.span()) for found, is_quoted in marks.tags(text, 0)
        )
        or (marks.has_closing(text) and bool(_without_later(text)[1]))
    )


def split_thinking(text: str, opened: str = "", truncated: bool = False, later: bool = False) -> Thinking:
    """Split a text. Never raises.

    `opened`: the `opening_tag` of its prompt. `truncated`: whether it ended at a token limit, which tells a
    cut-off thought from an answer where a family has no tags. `later`: take out thoughts further on, too.
    """
    closes = marks.has_closing(text)
    split = _leading(text, opened, truncated, closes)
    if not (later and closes) or split.cut_off:
        return split
    answer, thoughts = _without_later(split.answer)
    if not thoughts:
        return split
    return replace(split, reasoning=_joined([split.reasoning, *thoughts]), answer=answer, found=True)


def _leading(text: str, opened: str, truncated: bool, closes: bool) -> Thinking:
    whole = opened + text
    split = None
    if whole[:1] in _BEGINNINGS or whole[:1].isspace():
        split = _harmony(whole) or _thought_process(whole, truncated) or _tagged(whole, bool(opened))
        if split is None and whole.lstrip().startswith(tuple(marks.MARKED)):
            split = _unwrapped(whole, 0, [], whole)
    if split is None and closes and not _FIRST.match(whole):
        split = _tail_only(whole)
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


def _tagged(text: str, is_open: bool) -> Thinking | None:
    """Blocks of thought at the start of the text. `is_open`: whether the prompt began the first, so that the
    text can't be about the tag."""
    thoughts: list[str] = []
    position, closing = 0, ""
    for _ in range(_BLOCKS):
        if box := marks.BOX.match(text, position):
            end = _box_end(text, box.end())
            begin, closing = box.end(), ""
        elif tag := _FIRST.match(text, position):
            while (again := _FIRST.match(text, tag.end())) and again["tag"] == tag["tag"]:
                tag = again
            begin = tag.end()
            end = _end(text, begin, marks.closing_of(tag["tag"]))
            is_about = any(marks.is_spoken_of(text, at) for at in (begin, end[1] if end else begin))
            if is_about and (thoughts or not is_open):
                break
            closing = text[slice(*end)] if end else ""
        else:
            break
        thought = text[begin : end[0] if end else len(text)]
        thoughts.append(marks.without_quotation(thought) if box else thought)
        if end is None:
            return Thinking(_joined(thoughts), "", len(text), cut_off=True)
        position = end[1]
    return _after(text, position, thoughts, closing) if thoughts else None


def _tail_only(text: str) -> Thinking | None:
    """A closing tag whose opening tag was part of the prompt."""
    end = _unopened(text, 0, "")
    if end is None:
        return None
    return _after(text, end[1], [text[: end[0]]], text[slice(*end)])


def _after(text: str, position: int, thoughts: list[str], closing: str) -> Thinking:
    """The answer at `position`, or behind the closing tag if it comes again: twice, or quoted before. A
    closing tag at the very end ends an answer, not a thought."""
    while (
        closing
        and not _FIRST.match(text, position)
        and (again := _unopened(text, position, closing)) is not None
    ):
        before = text[position : again[0]]
        if before.strip() and not text[again[1] :].strip():
            return _unwrapped(text, position, thoughts, before)
        thoughts.append(before)
        position = again[1]
    return _unwrapped(text, position, thoughts, text[position:])


def _box_end(text: str, start: int) -> tuple[int, int] | None:
    end = text.find(marks.BOX_END, start)
    return (end, end + len(marks.BOX_END)) if end >= 0 else None


def _end(text: str, start: int, closing: str) -> tuple[int, int] | None:
    """Span of the first closing tag, if possible of one that is not quoted, else of another family's:
    models confuse `</think>` and `</thinking>`."""
    quoted: tuple[int, int] | None = None
    others: tuple[int, int] | None = None
    for found, is_quoted in marks.tags(text, start):
        if found.lastgroup != "closing":
            continue
        if not marks.same(found[0], closing):
            others = others or (None if is_quoted else found.span())
        elif not is_quoted:
            return found.span()
        else:
            quoted = quoted or found.span()
    return quoted or others


def _unopened(text: str, start: int, closing: str) -> tuple[int, int] | None:
    """Span of the first closing tag (of any family without `closing`) that no opening tag precedes."""
    for found, is_quoted in marks.tags(text, start):
        if is_quoted:
            continue
        if found.lastgroup == "opening":
            return None
        if not closing or marks.same(found[0], closing):
            return found.span()
    return None


def _without_later(text: str) -> tuple[str, list[str]]:
    """The text without each `<think>`, or tag that is a token, that begins a line and has an end, and these
    thoughts."""
    thoughts: list[str] = []
    kept: list[str] = []
    begin: re.Match[str] | None = None
    position = 0
    for found, is_quoted in marks.tags(text, 0):
        if is_quoted:
            continue
        if begin is None:
            if marks.is_only_markup(found[0]) and marks.begins_line(text, found.start()):
                begin = found
        elif marks.same(found[0], marks.closing_of(begin[0])):
            kept.append(text[position : begin.start()])
            thoughts.append(text[begin.end() : found.start()])
            position = _END_OF_LINE.match(text, found.end()).end()  # type: ignore[union-attr]
            begin = None
    return "".join([*kept, text[position:]]), thoughts


def _joined(thoughts: list[str]) -> str:
    return "\n\n".join(stripped for thought in thoughts if (stripped := thought.strip()))


def _unwrapped(text: str, position: int, thoughts: list[str], answer: str) -> Thinking:
    """The answer without `<answer>` or the like around all of it, or before it if that never ends.
    `position`: where the answer begins in the text."""
    marked = next((mark for mark in marks.MARKED if answer.lstrip().startswith(mark)), None)
    wrapper = marks.WRAPPERS.match(answer)
    begin, inside = 0, answer
    if marked is not None:
        begin, closing = answer.index(marked) + len(marked), marks.MARKED[marked]
        before, found, after = answer[begin:].rpartition(closing)
        after = "" if marks.MARKED_END.fullmatch(after) else after
        inside = before.rstrip() + after if found else answer[begin:]
    elif wrapper is not None:
        body, closing = answer[wrapper.end() :], f"</{wrapper['name']}>"
        before, found, after = body.rpartition(closing)
        if not after.strip() or not found:
            begin, inside = wrapper.end(), before.rstrip() if found else body
    stripped = inside.lstrip()
    start = position + begin + len(inside) - len(stripped)
    return Thinking(_joined(thoughts), stripped, min(start, len(text)))
