"""The markup that models and datasets write around thoughts and answers, and where it is only quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator

# `<think>`, `<seed:think>`, `<ifm|think_fast>`, `<think:opensource>`, `<thought_process>` ...
_NAME = (
    r"(?:(?:[a-z]{1,20}[:_|-]|ant)?(?:think(?:ing)?|thoughts?|reasoning)"
    r"(?::[a-z0-9]{1,40}|[_-](?:fast(?:er)?|process|content|steps?|trace|on|tag|block|start))?"
    r"|reason|scratch_?pad|chain[_-]of[_-]thoughts?|cot)"
)
_NAMES = ("think", "thought", "reason", "scratch", "cot")
"""Each name contains one of them."""
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
    "<|think|>": "<|end|><|begin|>assistant<|content|>",
}
"""Opening and closing markup of families that don't use `<name>` and `</name>`."""

OPENING = "|".join((rf"<(?i:{_NAME}){_ATTRIBUTES}>", *map(re.escape, _PAIRS)))
CLOSING = "|".join((rf"</(?i:{_NAME})>", *map(re.escape, _PAIRS.values())))
# Counts are bounded and alternatives begin differently, so the time is linear in the text.
_TAG = rf"(?P<opening>{OPENING})|(?P<closing>{CLOSING})"
_IN_CODE = re.compile(_TAG)
_FENCE = r"^[ \t]{0,3}(?:`{3,}|~{3,})"
_FENCE_LINE = re.compile(rf"(?P<fence>{_FENCE})(?P<info>[^\n]*)", re.MULTILINE)
_TOKEN = re.compile(rf"(?P<fence>{_FENCE})|(?P<code>`[^`\n]{{1,200}}`)|{_TAG}", re.MULTILINE)
_NAMED_CLOSING = re.compile(rf"</(?i:{_NAME})>")

BOX = re.compile(
    r'\s*<details type="reasoning"[^<>]{0,200}>(?:\s*<summary>[^<]{0,200}</summary>)?', re.IGNORECASE
)
"""Begins a thought as Open WebUI saves it: a folded element, in it the thought as a quotation."""
BOX_END = "</details>"
_QUOTATION = re.compile(r"^> ?", re.MULTILINE)

WRAPPERS = re.compile(
    r"\s*<(?P<name>answer|output|response|solution|conclusion|final_answer)>(?! )", re.IGNORECASE
)
"""Begins an answer behind a thought."""
MARKED = {
    "<|begin_of_solution|>": "<|end_of_solution|>",
    "<|START_RESPONSE|>": "<|END_RESPONSE|>",
    "<|START_TEXT|>": "<|END_TEXT|>",
    "<|begin_of_box|>": "<|end_of_box|>",
    "<|open|>response<|sep|>": "<|close|>response<|sep|>",
}
"""Special tokens around an answer, which no ordinary text contains."""
MARKED_END = re.compile(r"(?:\s*<\|[^<>\n]{1,40}\|>(?:\w{1,20}(?=<\|))?)*\s*")
"""Special tokens that end the turn behind those."""

# A text may quote a tag instead of using it: "the </think> tag", "(</think>)", "put </think> last".
_QUOTES = dict(zip("\"'(\u2018\u201c\u00ab", "\"')\u2019\u201d\u00bb", strict=True))
_QUOTED_BEFORE = re.compile(r"\b(?:the|an?|and|or|with|by|tags?|tokens?)[ ]\Z", re.IGNORECASE)
_SAID_AFTER = re.compile(r"[ ](?:(?i:tags?|tokens?|markers?|elements?)|is|are|and|or|means|marks)\b")
# "Okay, so the user wants ...": thoughts begin so, answers hardly ever.
_ABOUT_USER = re.compile(
    r"\s*(?:ok(?:ay)?|alright|hmm+)[,.!]*\s+(?:(?:so|well|first)[,.!]*\s+){0,2}the\s+(?:user|person)(?:'s|\u2019s)?\s+"
    r"(?:wants?|is|asks?|asked|has|needs?|said|says|provided|gave|gives|query|question|request)\b",
    re.IGNORECASE,
)
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
    fenced_until = start
    for found in _TOKEN.finditer(text, start):
        if found.lastgroup == "fence":
            if found.start() >= fenced_until:
                fenced_until = _fence_end(text, found)
        elif found.lastgroup == "code":
            yield from ((tag, True) for tag in _IN_CODE.finditer(text, *found.span()))
        else:
            yield found, found.start() < fenced_until or _is_quoted(text, found)


def is_spoken_of(text: str, end: int) -> bool:
    """Whether the words behind a tag that ends there are about it."""
    return _SAID_AFTER.match(text[end : end + _AROUND]) is not None


def begins_line(text: str, position: int) -> bool:
    """Whether only blanks come before the position in its line, and fewer than make it code in Markdown."""
    before = text[max(0, position - _AROUND) : position]
    line = before.rpartition("\n")[2]
    return not line.strip(" \t") and len(line.expandtabs(4)) < 4 and (line != before or position <= _AROUND)


def is_a_line(text: str, start: int, end: int) -> bool:
    return text[max(0, start - 1) : start] in ("", "\n") and text[end : end + 1] in ("", "\n")


def closing_of(opening: str) -> str:
    """The markup that closes what `opening` opens."""
    return _PAIRS.get(opening) or f"</{opening[1:-1].split(maxsplit=1)[0]}>"


def speaks_of_user(text: str) -> bool:
    """Whether the text begins as thoughts do that have lost their tags."""
    return _ABOUT_USER.match(text) is not None


def is_only_markup(opening: str) -> bool:
    """Whether an opening tag is no word of a document, as `<thought>` or `<reason>` may be."""
    return opening in _PAIRS or opening.casefold().endswith(("<think>", ":think>"))


def same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def without_quotation(thought: str) -> str:
    """The text of a quotation in Markdown."""
    return _QUOTATION.sub("", thought)


def _fence_end(text: str, opening: re.Match[str]) -> int:
    """Where the code that a fence begins ends. It is no code without an end, as in a thought that a token
    limit ended: then text follows whose own fences come with a language."""
    marks = opening[0].strip()
    for line in _FENCE_LINE.finditer(text, opening.start()):
        fence = line["fence"].strip()
        if line.start() == opening.start():
            if marks[0] in line["info"]:
                break  # code within its line
        elif fence[0] == marks[0] and len(fence) >= len(marks):
            return line.end() if not line["info"].strip() else opening.end()
    return opening.end()


def _is_quoted(text: str, found: re.Match[str]) -> bool:
    start, end = found.span()
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    if before and _QUOTES.get(before[-1]) == after[:1]:
        return True
    if _QUOTED_BEFORE.search(before) or _SAID_AFTER.match(after):
        return True
    # A model ends a thought at the end of a line or sentence, or puts no space before the tag.
    is_within = found.lastgroup == "closing" and after.strip(" \t")[:1] not in ("", "\n")
    return is_within and _WITHIN_WORDS.search(before) is not None
