"""`kto`: a prompt, an answer with its `reasoning_content`, and a label."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from staragents.base.candidate_schema import CONVERSATION_TYPE
from staragents.base.messages import Conversation, as_dicts
from staragents.data.formats.format import Format, Row, answered


@dataclass(frozen=True, slots=True)
class Opinion:
    """A conversation that ends with an answer, and whether the judge prefers it."""

    messages: Conversation
    desirable: bool


def to_row(opinion: Opinion) -> Row:
    prompt = answered(opinion.messages)
    return {
        "prompt": as_dicts(prompt),
        "completion": [opinion.messages[-1].as_dict()],
        "label": opinion.desirable,
    }


_SCHEMA = pa.schema([("prompt", CONVERSATION_TYPE), ("completion", CONVERSATION_TYPE), ("label", pa.bool_())])
KTO = Format("kto", _SCHEMA, to_row)
