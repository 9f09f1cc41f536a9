"""One row of the dataset: a seed, or what is wrong with it."""

from __future__ import annotations

import json

from staragents.messages import as_dicts
from staragents.records import Seed, stable_id
from staragents.rows.raw_row import BadRow, RawRow
from staragents.rows.row_messages import Misfit, RowReader


def parse_row(raw: RawRow, reader: RowReader) -> Seed | BadRow:
    """A seed with an id of its conversation, whatever columns that came from."""
    try:
        messages = reader.messages(raw.value)
    except Misfit as misfit:
        return BadRow(raw.row, misfit.field, misfit.message)
    return Seed(stable_id(json.dumps(as_dicts(messages))), raw.row, messages)
