"""`sharegpt`: conversations of {from, value, reasoning_content}, with the roles system, human, gpt, tool."""

from __future__ import annotations

import pyarrow as pa

from staragents.base.messages import REASONING, Conversation, Message, Role
from staragents.data.formats.format import Format, Row

SPEAKERS: dict[Role, str] = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}


def to_row(messages: Conversation) -> Row:
    return {"conversations": [_turn(message) for message in messages]}


def _turn(message: Message) -> dict[str, str]:
    turn = {"from": SPEAKERS[message.role], "value": message.content}
    return turn if message.reasoning_content is None else turn | {REASONING: message.reasoning_content}


_TURN = pa.struct([(name, pa.string()) for name in ("from", "value", REASONING)])
_SCHEMA = pa.schema([("conversations", pa.list_(_TURN))])
SHAREGPT = Format("sharegpt", _SCHEMA, to_row)
