"""`messages`: the chat format of OpenAI, TRL and most trainers, with `reasoning_content`."""

from __future__ import annotations

import pyarrow as pa

from staragents.base.candidate_schema import CONVERSATION_TYPE
from staragents.base.messages import Conversation, as_dicts
from staragents.data.formats.format import Format, Row


def to_row(messages: Conversation) -> Row:
    return {"messages": as_dicts(messages)}


MESSAGES = Format("messages", pa.schema([("messages", CONVERSATION_TYPE)]), to_row)
