"""Rows of multiple choice: their question must contain what can be chosen."""

from __future__ import annotations

from typing import Any

from staragents.data.readers.raw_row import InvalidRow, shown

CHOICES = ("choices", "options")
CHOICE_LETTERS = ("ABCDEF", "abcdef")
CHOICE_COLUMNS = (
    *map(tuple, CHOICE_LETTERS),
    *(
        tuple(f"{name}{number}" for number in numbers)
        for name in ("option_", "option", "choice_", "choice", "opt_", "op", "ending", "sol")
        for numbers in ("abcdef", "123456", "012345")
    ),
)
"""Choices in a column each: a row has the first two of one of these, or the first three of single letters."""


def has_choices(row: dict[str, Any]) -> bool:
    return any(name in row for name in CHOICES) or bool(_columns(row))


def check_choices(row: dict[str, Any], instruction: str, setting: str) -> None:
    """Raises InvalidRow if the row has choices that its question does not contain."""
    columns = _columns(row)
    for name in (*CHOICES, *columns[:1]):
        choices = [row[column] for column in columns] if name in columns else row.get(name)
        texts = [text for text in _texts(choices) if text.strip()]
        asked = row[instruction]
        if texts and isinstance(asked, str) and not all(text in asked for text in texts):
            hint = f": add them to the question, or set {setting.format('instruction')} and "
            raise InvalidRow(
                name,
                "expected a question that contains its choices",
                shown(choices),
                f"{hint}{setting.format('response')} to leave them out",
            )


def _columns(row: dict[str, Any]) -> list[str]:
    for names in CHOICE_COLUMNS:
        if names[0] in row and names[1] in row and (len(names[0]) > 1 or names[2] in row):
            return [name for name in names if name in row]
    return []


def _texts(choices: Any) -> list[str]:
    if isinstance(choices, dict):
        choices = choices.get("text", list(choices.values()))
    return [text for text in choices if isinstance(text, str)] if isinstance(choices, list) else []
