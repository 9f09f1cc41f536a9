"""The words of a text and the symbols that distinguish two sums, prices or programming languages. Marks of
Markdown, such as those of quotes, titles and tables, are no symbols."""

from __future__ import annotations

import re
from functools import cache

from staragents.text.character_classes import character_class
from staragents.text.words import folded, word_pattern

_DASHES = "-\u2010\u2011\u2012\u2013\u2212"
_MINUS = rf"(?<![^\W\d])[{_DASHES}](?=[.,]?\d)|(?<=[\d)] )[{_DASHES}](?= [\d(])"
# Between words as well, but not as the marks of bold and italic text.
_OPERATORS = r"(?<=[\w)])(?:\*\*?|[/^])(?=[\w(-])|(?<=[\w)] )(?:\*\*?|[/^%])(?= [\w(-])"
_MARKDOWN = "+<=>|~"
"""Symbols that Markdown uses, too."""
_RUN = r"(?:[-!+<=>|]{0,2}[+<=>|]|[=!]?~=?)"
_BETWEEN = rf"(?<=[\w)\]}}\"'|%]){_RUN}(?=[\w(\[{{\"'|$\u20ac\u00a3\u221a-]|\.\d)|(?<=\S ){_RUN}(?= \S)"
_BOUNDS = r"[<>]=?(?= ?(?:\.?\d|[$\u20ac\u00a3]))"
_BARS = r"\|(?=[\w(-])|(?<=[\w)])\|"
_SUFFIXES = r"(?<=\d)%|(?<=\d )%|(?<=\w)#|(?<=\w)\+\+?(?![\w+])"

_LINE_MARKS = re.compile(r"^[ \t]*(?:(?:>[ \t]*)+|\+[ \t]|[-=~+|: \t]+$)", re.MULTILINE)
_TABLE_ROW = re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)
_TABLE_RULE = re.compile(r"^(?=.*\|)[ \t]*\|?[ \t]*:?-[-:| \t]*$", re.MULTILINE)


def words_and_symbols(text: str) -> list[str]:
    """In the order of the folded text; all kinds of minus are one."""
    plain = _without_marks(folded(text))
    return ["-" if token in _DASHES else token for token in _tokens().findall(plain)]


def _without_marks(text: str) -> str:
    """Without the marks of quotes, titles, lists and tables, which are at the ends of lines."""
    if "|" in text:
        if _TABLE_RULE.search(text):
            text = text.replace("|", " ")
        text = _TABLE_ROW.sub(lambda row: row[0].replace("|", " "), text)
    return re.sub("[ \t]+", " ", _LINE_MARKS.sub(" ", text))


@cache
def _tokens() -> re.Pattern[str]:
    symbols = character_class(("Sm", "Sc"), without=_DASHES + _MARKDOWN)
    patterns = (
        word_pattern(), _MINUS, f"[{symbols}]", _OPERATORS, _BETWEEN, _BOUNDS, _BARS, _SUFFIXES,
    )  # fmt: skip
    return re.compile("|".join(patterns))
