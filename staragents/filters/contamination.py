"""Overlap with evaluation sets: a model trained on their questions scores too well on them.

The rule of GPT-3 (arXiv 2005.14165, appendix C): n consecutive words in common, ignoring case and
punctuation. A shorter text matches if a whole turn equals it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.raw_row import BadRow
from staragents.text.words import words

MIN_WORDS = 5
"""Shorter texts of an evaluation set are ignored: categories, names and one-word answers."""


class Contamination:
    """Indexes every text in the evaluation sets, in any column and at any nesting depth."""

    def __init__(self, paths: Iterable[str], ngram: int) -> None:
        """Raises BadInput, naming the setting, if a path can't be read or contains no text to search for."""
        self._ngram = ngram
        self._known: dict[str, str] = {}
        for number, path in enumerate(paths):
            before = len(self._known)
            try:
                self._read(path)
            except BadInput as error:
                raise BadInput(
                    f"filters.evaluation[{number}]: {problem}" for problem in error.problems
                ) from error
            if len(self._known) == before:
                raise BadInput(
                    f"filters.evaluation[{number}]: expected texts that no other set has, got none: {path}"
                )

    def __call__(self, messages: Conversation) -> str | None:
        for found in (words(text) for message in messages for text in message.texts):
            for key in compared(found, self._ngram):
                if (location := self._known.get(key)) is not None:
                    return f"also in {location}"
        return None

    def _read(self, path: str) -> None:
        for block in DataFiles(path, ()).blocks():
            # A table has all columns, its rows only those of the conversation.
            values: Iterable[Any] = (
                (row.value for row in block.rows if not isinstance(row, BadRow))
                if block.table is None
                else block.table.to_pylist()
            )
            first = block.rows[0].row if block.rows else 1
            for row, value in enumerate(values, first):
                for text in _texts(value):
                    for key in compared(words(text), self._ngram):
                        self._known.setdefault(key, f"{block.file}:{row}")


def compared(found: list[str], length: int) -> Iterator[str]:
    """What of a text is compared: all runs of `length` consecutive words, or the whole text if it is shorter,
    but has `MIN_WORDS`."""
    if len(found) < length:
        if len(found) >= MIN_WORDS:
            yield " ".join(found)
        return
    for start in range(len(found) - length + 1):
        yield " ".join(found[start : start + length])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
