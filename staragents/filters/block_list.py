"""Words and phrases the user excludes: the optional filter for toxic text."""

from __future__ import annotations

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation
from staragents.files.user_files import read_text
from staragents.filters.block_entries import is_of_words, listed_entries
from staragents.text.words import folded, words

MAX_BYTES = 64 << 20


class BlockList:
    """Matches whole words and phrases, ignoring case. The file has one per line; a line that begins with `#`,
    and what follows ` # `, is a comment. An entry with signs, such as `C#`, matches only with these signs."""

    def __init__(self, path: str) -> None:
        """Raises BadInput if the file can't be read or is empty."""
        try:
            entries = set(listed_entries(path, read_text(path, MAX_BYTES)))
        except BadInput as error:
            raise BadInput(f"filters.block_list: {error}") from error
        if not entries:
            raise BadInput(f"filters.block_list: expected one word or phrase per line, got none: {path}")
        self._phrases: set[tuple[str, ...]] = set()
        self._verbatim: dict[tuple[str, ...], list[str]] = {}
        """Entries with signs by their words, which a text that holds one has, too."""
        for entry in entries:
            found = tuple(words(entry))
            if is_of_words(entry):
                self._phrases.add(found)
            else:
                self._verbatim.setdefault(found, []).append(entry)
        self._lengths = sorted({len(phrase) for phrase in (*self._phrases, *self._verbatim)})

    def __call__(self, messages: Conversation) -> str | None:
        for message in messages:
            for text in message.texts:
                kind = self._listed(text)
                if kind is not None:
                    return f"a listed {kind} in a turn of the {message.role}"
        return None

    def _listed(self, text: str) -> str | None:
        """Whether a text holds a `word` or a `phrase` of the list, None if neither."""
        found = words(text)
        plain = ""
        for length in self._lengths:
            starts = range(len(found) - length + 1 if length else 1)
            phrases = {tuple(found[start : start + length]) for start in starts}
            if not phrases.isdisjoint(self._phrases):
                return "word" if length == 1 else "phrase"
            for phrase in phrases & self._verbatim.keys():
                plain = plain or " ".join(folded(text).split())
                for entry in self._verbatim[phrase]:
                    if _holds(plain, entry):
                        return "phrase" if " " in entry else "word"
        return None


def _holds(text: str, entry: str) -> bool:
    """Whether a text holds an entry that is no part of a longer word."""
    start = text.find(entry)
    while start >= 0:
        end = start + len(entry)
        if not text[start - 1 : start].isalnum() and not text[end : end + 1].isalnum():
            return True
        start = text.find(entry, start + 1)
    return False
