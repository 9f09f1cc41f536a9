"""Overlap with evaluation sets: a model trained on their questions scores too well on them.

The rule of GPT-3 (arXiv 2005.14165, appendix C): n consecutive words in common, ignoring case and
punctuation. A shorter text matches if a whole turn equals it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation
from staragents.data.bad_rows import BadRows
from staragents.data.readers.cell_values import parsed_list, parsed_objects
from staragents.data.readers.data_files import DataFiles
from staragents.data.readers.raw_row import BadRow
from staragents.text.storable import storable
from staragents.text.words import words

MIN_WORDS = 5
"""Shorter texts of an evaluation set are ignored: categories, names and one-word answers."""


class Contamination:
    """Indexes every text in the evaluation sets, in any column and at any nesting depth."""

    def __init__(self, paths: Iterable[str], ngram: int) -> None:
        """Raises BadInput, naming the setting, if a path can't be read, has a bad row or contains no text to
        search for."""
        self._ngram = ngram
        self._known: dict[str, str] = {}
        for number, path in enumerate(paths):
            before = len(self._known)
            setting = f"filters.evaluation[{number}]"
            try:
                self._read(path, setting)
            except BadInput as error:
                problems = (problem.removeprefix(f"{setting}: ") for problem in error.problems)
                raise BadInput(f"{setting}: {problem}" for problem in problems) from error
            if len(self._known) == before:
                raise BadInput(f"{setting}: expected texts that no other set has, got none: {path}")

    def __call__(self, messages: Conversation) -> str | None:
        for found in (words(text) for message in messages for text in message.texts):
            for key in compared(found, self._ngram):
                if (location := self._known.get(key)) is not None:
                    return f"also in {location}"
        return None

    def _read(self, path: str, setting: str) -> None:
        bad = BadRows()
        rows = 0
        for block in DataFiles(path, (), setting=setting, everything=True).blocks():
            file = storable(block.file)
            for row in block.rows:
                if isinstance(row, BadRow):
                    bad.add(file, row)
                    continue
                rows += 1
                for text in _texts(row.value):
                    for key in compared(words(text), self._ngram):
                        self._known.setdefault(key, f"{file}:{row.row}")
        # What a bad row asks would not be found.
        bad.check(path, rows, strict=True, wanted="readable row")


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
    """All texts of a row, also keys, bytes that are text, and the parts of what a text spells as JSON or as
    Python prints it."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, bytes):
            with suppress(UnicodeDecodeError):
                waiting.append(one.decode())
        elif isinstance(one, str):
            yield one
            waiting += parsed_list(one) or parsed_objects([one]) or ()
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list | tuple):
            waiting += one
