"""`sharegpt`: conversations of {from, value}, with the roles system, human, gpt and tool."""

from __future__ import annotations

import pyarrow as pa

from staragents.base.messages import Conversation, Role
from staragents.data.formats.format import Format, Row

SPEAKERS: dict[Role, str] = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}


def to_row(messages: Conversation) -> Row:
    return {"conversations": [{"from": SPEAKERS[m.role], "value": m.content} for m in messages]}


_SCHEMA = pa.schema([("conversations", pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())])))])
SHAREGPT = Format("sharegpt", _SCHEMA, to_row)
