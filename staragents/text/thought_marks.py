"""The markup that models and datasets write around thoughts and answers, and where it is only quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator

# `<think>`, `<seed:think>`, `<mm:think>`, `<ifm|think_fast>`, `<think:opensource>`, `<longcat_think>` ...
_NAME = r"(?:[a-z]{1,20}[:_|])?(?:think(?:ing)?|thoughts?|reason(?:ing)?)(?:_fast(?:er)?|:[a-z0-9]{1,40})?"
_NAMES = ("think", "thought", "reason")
"""Part of every name."""
_ATTRIBUTES = r"(?:[ \t\n]{1,9}[\w:-]{1,40}=[^<>]{0,200})?"
_PAIRS = {
    "[THINK]": "[/THINK]",
    "\u25c1think\u25b7": "\u25c1/think\u25b7",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|inner_prefix|>": "<|inner_suffix|>",
    "<|channel>thought": "<channel|>",
    "<unused94>thought": "<unused95>",
    "<|plamo:begin_think:plamo|>": "<|plamo:end_think:plamo|>",
    "<|open|>think<|sep|>": "<|close|>think<|sep|>",
}
"""Opening and closing markup of families that don't use `<name>` and `</name>`."""

OPENING = "|".join((rf"<(?i:{_NAME}){_ATTRIBUTES}>", *map(re.escape, _PAIRS)))
CLOSING = "|".join((rf"</(?i:{_NAME})>", *map(re.escape, _PAIRS.values())))
# Counts are bounded and alternatives begin differently, so the time is linear in the text.
_TAG = rf"(?P<opening>{OPENING})|(?P<closing>{CLOSING})"
_IN_CODE = re.compile(_TAG)
_TOKEN = re.compile(
    rf"(?P<fence>^[ \t]{{0,3}}(?:`{{3,}}|~{{3,}}))|(?P<code>`[^`\n]{{1,200}}`)|{_TAG}", re.MULTILINE
)
_NAMED_CLOSING = re.compile(rf"</(?i:{_NAME})>")

BOX = re.compile(
    r'\s*<details type="reasoning"[^<>]{0,200}>(?:\s*<summary>[^<]{0,200}</summary>)?', re.IGNORECASE
)
"""Begins a thought as Open WebUI saves it: a folded element, in it the thought as a quotation."""
BOX_END = "</details>"
_QUOTATION = re.compile(r"^> ?", re.MULTILINE)

WRAPPERS = re.compile(r"\s*<(?P<name>answer|output|response|solution|final_answer)>(?! )", re.IGNORECASE)
"""Begins an answer behind a thought."""
MARKED = {"<|begin_of_solution|>": "<|end_of_solution|>", "<|START_RESPONSE|>": "<|END_RESPONSE|>"}
"""Special tokens around an answer, which no ordinary text contains."""

# A text may quote a tag instead of using it: "the </think> tag", "(</think>)", "put </think> last".
_QUOTES = dict(zip("\"'(\u2018\u201c\u00ab", "\"')\u2019\u201d\u00bb", strict=True))
_QUOTED_BEFORE = re.compile(r"\b(?:the|an?|and|or|with|by|tags?|tokens?)[ ]\Z", re.IGNORECASE)
_QUOTED_AFTER = re.compile(r"[ ](?:tags?|tokens?|markers?|elements?)\b", re.IGNORECASE)
_SAID_AFTER = re.compile(r"[ ](?:tags?|tokens?|markers?|elements?|is|are|and|or|means|marks)\b")
_WITHIN_WORDS = re.compile(r"[\w,] \Z")
_AROUND = 12
"""Characters on each side of a tag that tell whether it is quoted."""


def has_closing(text: str) -> bool:
    """Whether a closing tag stands anywhere: much faster than to look for all markup."""
    if "<" not in text and "[" not in text and "\u25c1" not in text:
        return False
    if "</" in text:
        lowered = text.lower()
        if any(name in lowered for name in _NAMES) and _NAMED_CLOSING.search(text):
            return True
    return ("|>" in text or "[/" in text or "\u25b7" in text or "<unused95>" in text) and any(
        mark in text for mark in _PAIRS.values()
    )


def tags(text: str, start: int) -> Iterator[tuple[re.Match[str], bool]]:
    """Tags of thoughts, each with whether it is quoted, by code or by words. The group that matched is
    `opening` or `closing`."""
    in_fence = False
    for found in _TOKEN.finditer(text, start):
        if found.lastgroup == "fence":
            in_fence = not in_fence
        elif found.lastgroup == "code":
            yield from ((tag, True) for tag in _IN_CODE.finditer(text, *found.span()))
        else:
            yield found, in_fence or _is_quoted(text, found)


def is_spoken_of(text: str, end: int) -> bool:
    """Whether the words behind a tag that ends there are about it."""
    return _SAID_AFTER.match(text[end : end + _AROUND]) is not None


def begins_line(text: str, position: int) -> bool:
    """Whether only blanks come before the position in its line."""
    before = text[max(0, position - _AROUND) : position].rstrip(" \t")
    return before.endswith("\n") or (not before and position <= _AROUND)


def is_a_line(text: str, start: int, end: int) -> bool:
    return text[max(0, start - 1) : start] in ("", "\n") and text[end : end + 1] in ("", "\n")


def closing_of(opening: str) -> str:
    """The markup that closes what `opening` opens."""
    return _PAIRS.get(opening) or f"</{opening[1:-1].split(maxsplit=1)[0]}>"


def same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def without_quotation(thought: str) -> str:
    """The text of a quotation in Markdown."""
    return _QUOTATION.sub("", thought)


def _is_quoted(text: str, found: re.Match[str]) -> bool:
    start, end = found.span()
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    if before and _QUOTES.get(before[-1]) == after[:1]:
        return True
    if _QUOTED_BEFORE.search(before) or _QUOTED_AFTER.match(after):
        return True
    # A model ends a thought at the end of a line or sentence, or puts no space before the tag.
    is_within = found.lastgroup == "closing" and after.strip(" \t")[:1] not in ("", "\n")
    return is_within and _WITHIN_WORDS.search(before) is not None
