"""Overlap with evaluation sets: a model trained on their questions scores too well on them.

The rule of GPT-3 (arXiv 2005.14165, appendix C): n consecutive words in common, ignoring case and
punctuation. A shorter text matches if a whole turn equals it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from staragents.agents.rejects import words
from staragents.base.errors import BadInput
from staragents.base.messages import Conversation
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.raw_row import BadRow

MIN_WORDS = 5
"""Shorter texts of an evaluation set are ignored: categories, names and one-word answers."""


class Contamination:
    """Indexes every text in the evaluation sets, in any column and at any nesting depth."""

    def __init__(self, paths: Iterable[str], ngram: int) -> None:
        """Raises BadInput, naming the setting, if a path can't be read or contains no text to search for."""
        self._ngram = ngram
        self._grams: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        for number, path in enumerate(paths):
            before = len(self._grams) + len(self._whole)
            try:
                self._read(path)
            except BadInput as error:
                raise BadInput(
                    f"filters.evaluation[{number}]: {problem}" for problem in error.problems
                ) from error
            if len(self._grams) + len(self._whole) == before:
                raise BadInput(
                    f"filters.evaluation[{number}]: expected texts that no other set has, got none: {path}"
                )

    def __call__(self, messages: Conversation) -> str | None:
        for found in (words(text) for message in messages for text in message.texts):
            location = self._whole.get(" ".join(found)) or next(
                (self._grams[gram] for gram in grams(found, self._ngram) if gram in self._grams), None
            )
            if location:
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
                    self._add(words(text), f"{block.file}:{row}")

    def _add(self, found: list[str], location: str) -> None:
        if len(found) >= self._ngram:
            for gram in grams(found, self._ngram):
                self._grams.setdefault(gram, location)
        elif len(found) >= MIN_WORDS:
            self._whole.setdefault(" ".join(found), location)


def grams(found: list[str], length: int) -> Iterator[str]:
    """All runs of `length` consecutive words; none if there are fewer."""
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
