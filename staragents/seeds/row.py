"""One row of the dataset: a conversation, or what is wrong with it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from staragents.config import RowFormat
from staragents.messages import Conversation, as_dicts
from staragents.records import Seed, stable_id
from staragents.rows.misfit import Misfit
from staragents.rows.raw_row import BadRow, RawRow
from staragents.rows.row_messages import RowReader

DIGEST_BYTES = 16


@dataclass(slots=True)
class SeedRow:
    """A usable row. Its digest, of 16 bytes, is of the conversation, whatever columns that came from."""

    row: int
    format: RowFormat
    messages: Conversation

    def digest(self) -> bytes:
        # Lengths, so that no text can pass for two.
        parts = "".join([f"{turn.role}{len(turn.content)}:{turn.content}" for turn in self.messages])
        return hashlib.blake2b(parts.encode(), digest_size=DIGEST_BYTES).digest()

    def seed(self, before: int) -> Seed:
        """With an id of the conversation too. `before` rows stand in the files before this row's."""
        return Seed(stable_id(json.dumps(as_dicts(self.messages))), before + self.row, self.messages)


def parse_row(raw: RawRow | BadRow, reader: RowReader) -> SeedRow | BadRow:
    if isinstance(raw, BadRow):
        return raw
    try:
        return SeedRow(raw.row, *reader.read(raw.value))
    except Misfit as misfit:
        return BadRow(raw.row, misfit.field, misfit.message)
