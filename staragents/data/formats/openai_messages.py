"""`messages`: the chat format of OpenAI, TRL and most trainers."""

from __future__ import annotations

import pyarrow as pa

from staragents.base.messages import Conversation, as_dicts, conversation
from staragents.data.formats.format import TURNS, Format, Row


def to_row(messages: Conversation) -> Row:
    return {"messages": as_dicts(messages)}


def from_row(row: Row) -> Conversation:
    return conversation(row["messages"])


MESSAGES = Format("messages", pa.schema([("messages", TURNS)]), to_row, from_row)
