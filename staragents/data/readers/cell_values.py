"""Lists that a file holds as text: JSON, or what Python or NumPy print for a list of objects.

The text is untrusted. It is parsed as a literal within limits and never evaluated.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
import warnings
from collections.abc import Iterator
from typing import Any

LONGEST_LITERAL = 1 << 19
"""Characters of a text that is parsed as Python, which is slow: a longer one stays text."""
DEEPEST = 20
_OPERATORS = frozenset("[]{}(),:-")
_NAMES = {"None": "None", "True": "True", "False": "False", "nan": "None", "null": "None"}
_SKIPPED = frozenset((tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER))


def parsed_list(text: str) -> list[Any] | None:
    """The list of objects, texts or lists that a text spells, or None if it spells anything else."""
    start = text.lstrip()[:1]
    if start not in ("[", '"'):
        return None
    try:
        value = json.loads(text)
        if isinstance(value, str):
            value = json.loads(value)  # written twice
    except (ValueError, RecursionError):
        if start != "[":
            return None
        value = _literal(text) if len(text) <= LONGEST_LITERAL else None
    if not isinstance(value, list) or not value:
        return None
    return value if any(all(isinstance(one, kind) for one in value) for kind in (dict, str, list)) else None


def parsed_objects(cells: list[Any]) -> list[Any] | None:
    """The objects that a list of JSON texts spells, or None if it holds anything else."""
    if not cells or not all(isinstance(text, str) and text.lstrip().startswith("{") for text in cells):
        return None
    try:
        values = [json.loads(text) for text in cells]
    except (ValueError, RecursionError):
        return None
    return values if all(isinstance(value, dict) for value in values) else None


def _literal(text: str) -> Any:
    try:
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):
            return ast.literal_eval(" ".join(_tokens(text)))
    # A damaged literal may raise any of these.
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, tokenize.TokenError):
        return None


def _tokens(text: str) -> Iterator[str]:
    """The tokens of a literal of limited depth, with the commas that NumPy omits between objects. Raises
    ValueError for any other token, so that the parser sees nothing but literals."""
    depth = 0
    before = ""
    # In brackets, so that line breaks between objects end nothing.
    for kind, token, *_ in tokenize.generate_tokens(io.StringIO(f"({text.strip()})").readline):
        if kind in _SKIPPED:
            continue
        is_text = kind == tokenize.STRING and token[0] in "'\""
        if not (is_text or kind == tokenize.NUMBER or token in _NAMES or token in _OPERATORS):
            raise ValueError(f"not a literal: {token[:20]!r}")
        depth += (token in "[{(") - (token in "]})") if token in _OPERATORS else 0
        if depth > DEEPEST:
            raise ValueError("too deep")
        if (is_text and before == "text") or token == before == "-":
            # Python would join two texts, and nest as deep as there are signs.
            raise ValueError("not as printed by Python")
        if token == "{" and before == "}":
            yield ","
        yield _NAMES.get(token, token)
        before = "text" if is_text else token
