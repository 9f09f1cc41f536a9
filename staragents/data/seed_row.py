"""A dataset row as a conversation or a BadRow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from staragents.base.messages import Conversation, as_dicts
from staragents.base.records import Seed, stable_id, stable_seed
from staragents.config import RowFormat
from staragents.data.readers.raw_row import BadRow, InvalidRow, RawRow
from staragents.data.readers.row_messages import RowReader

DIGEST_BYTES = 16


@dataclass(slots=True)
class SeedRow:
    """A valid row. SeedFile sets `digest`, `repeated` if an earlier row has the same conversation, and
    `held_out` if the run leaves the seed out."""

    row: int
    format: RowFormat
    messages: Conversation
    digest: bytes = b""
    repeated: bool = False
    held_out: bool = False

    def seed(self, before: int) -> Seed:
        """The seed, with an id derived from the conversation. Earlier files have `before` rows."""
        return Seed(stable_id(json.dumps(as_dicts(self.messages))), before + self.row, self.messages)


def is_held_out(seed_id: str, share: float) -> bool:
    """Whether a run leaves the seed out. It depends on the id alone, so that a seed stays held out when rows
    are added, and remains so with a larger share."""
    return stable_seed("hold_out", seed_id) < share * 2**31


def digest_of(messages: Conversation) -> bytes:
    """16 bytes that depend only on the conversation, not on the columns that it came from."""
    # With lengths, so that a text cannot imitate a turn boundary.
    parts = "".join(
        [
            f"{turn.role}{len(turn.content)}:{turn.content}"
            if turn.reasoning_content is None
            else f"{turn.role}{len(turn.content)}:{turn.content}{_thought(turn.reasoning_content)}"
            for turn in messages
        ]
    )
    return hashlib.blake2b(parts.encode(), digest_size=DIGEST_BYTES).digest()


def _thought(thought: str) -> str:
    return f"thought{len(thought)}:{thought}"


def parse_row(raw: RawRow | BadRow, reader: RowReader) -> SeedRow | BadRow:
    if isinstance(raw, BadRow):
        return raw
    try:
        return SeedRow(raw.row, *reader.read(raw.value))
    except InvalidRow as error:
        return BadRow(raw.row, error.problem)
