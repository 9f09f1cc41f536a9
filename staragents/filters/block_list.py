"""Words and phrases the user excludes: the optional filter for toxic text."""

from __future__ import annotations

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation
from staragents.files.user_files import read_text
from staragents.text.words import words

MAX_BYTES = 64 << 20


class BlockList:
    """Matches whole words and phrases, ignoring case. The file has one per line; `#` begins a comment."""

    def __init__(self, path: str) -> None:
        """Raises BadInput if the file can't be read or is empty."""
        try:
            lines = read_text(path, MAX_BYTES).splitlines()
        except BadInput as error:
            raise BadInput(f"filters.block_list: {error}") from error
        phrases = {tuple(words(line.partition("#")[0])) for line in lines} - {()}
        if not phrases:
            raise BadInput(f"filters.block_list: expected one word or phrase per line, got none: {path}")
        self._phrases = phrases
        self._lengths = sorted({len(phrase) for phrase in phrases})

    def __call__(self, messages: Conversation) -> str | None:
        for message in messages:
            for text in message.texts:
                length = self._listed(words(text))
                if length:
                    return f"a listed {'word' if length == 1 else 'phrase'} in a turn of the {message.role}"
        return None

    def _listed(self, found: list[str]) -> int:
        """The number of words of a listed phrase in a text; 0 if there is none."""
        for length in self._lengths:
            if any(tuple(found[i : i + length]) in self._phrases for i in range(len(found) - length + 1)):
                return length
        return 0
