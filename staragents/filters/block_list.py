"""Words and phrases that the user does not want: the optional filter for toxic text."""

from __future__ import annotations

from staragents.errors import BadInput
from staragents.messages import Conversation
from staragents.rejects import words
from staragents.user_files import read_text

MOST_BYTES = 64 << 20


class BlockList:
    """Whole words and phrases, whatever their case. One a line of the file; `#` begins a comment."""

    def __init__(self, path: str) -> None:
        """Raises BadInput if the file can't be read or names nothing."""
        try:
            lines = read_text(path, MOST_BYTES).splitlines()
        except BadInput as error:
            raise BadInput(f"filters.block_list: {error}") from error
        phrases = {tuple(words(line.partition("#")[0])) for line in lines} - {()}
        if not phrases:
            raise BadInput(f"filters.block_list: expected a word or phrase a line, got none: {path}")
        self._phrases = phrases
        self._lengths = sorted({len(phrase) for phrase in phrases})

    def __call__(self, messages: Conversation) -> str | None:
        for message in messages:
            found = words(message.content)
            for length in self._lengths:
                if any(tuple(found[i : i + length]) in self._phrases for i in range(len(found) - length + 1)):
                    return f"a listed {'word' if length == 1 else 'phrase'} in a turn of the {message.role}"
        return None
