"""The words of a server in the body of an answer that is none."""

from __future__ import annotations

import ast
import html
import json
import re
from typing import Any

_MESSAGES = ("message", "detail", "msg", "status_msg", "error", "errors", "error_description", "title")
_PAGE = re.compile(r"\s*(?:<!doctype html|<html|<head|<\?xml)", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,300})", re.IGNORECASE)
_TAGS = re.compile(
    r"<(?:style|script)\b.{0,5000}?</(?:style|script)>|<[^>]{0,500}>", re.IGNORECASE | re.DOTALL
)
PAGE_CHARACTERS = 4096
"""Of a web page instead of an answer: read for its title."""
NOTHING_MORE = "nothing more"
"""What is shown for an error without words."""
_DEEPEST = 6


def message_of(content: dict[str, Any]) -> Any:
    """The part of an error that says what is wrong; None if there is none."""
    return next((content[name] for name in _MESSAGES if content.get(name)), None)


def said_of(error: dict[str, Any]) -> str:
    """What an error says; `nothing more` if that is blank. Gateways hide the words of the server behind them
    in `metadata.raw`."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    own = {name: value for name, value in error.items() if value and name != "metadata"}
    said = [_words(part).strip() for part in (own, raw) if part]
    return ": ".join(filter(None, said)) or NOTHING_MORE


def page_text(text: str) -> str:
    """The title of a web page, or its text; any other text as it is."""
    if not _PAGE.match(text):
        return text
    text = text[:PAGE_CHARACTERS]
    title = _TITLE.search(text)
    shown = title[1] if title else _TAGS.sub(" ", text)
    return f"a web page: {' '.join(html.unescape(shown).split()) or 'without text'}"


def _words(value: Any, depth: int = 0) -> str:
    """The message within objects and lists, however servers and gateways nest them, also as text."""
    if isinstance(value, str):
        inner = _structure(value) if depth < _DEEPEST else None
        return value if inner is None else _words(inner, depth + 1)
    if isinstance(value, list) and depth < _DEEPEST:
        parts = (_words(part, depth + 1) for part in value)
        return "; ".join(part for part in parts if part.strip())
    if isinstance(value, dict) and depth < _DEEPEST:
        place = value.get("loc")
        names = [str(name) for name in place if name != "body"] if isinstance(place, list | tuple) else []
        message = message_of(value)
        if message is not None:
            said = _words(message, depth + 1)
            return f"{'.'.join(names)}: {said}" if names else said
    return str(value)


def _structure(text: str) -> Any:
    """The object or list that a text is, in JSON or as Python prints it; None for another text."""
    text = text.strip()
    if not (text.startswith(("{", "[")) and text.endswith(("}", "]"))) or len(text) > 20_000:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, dict | list) and found else None
    return None
