"""`kto`: a prompt, an answer and a label."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from staragents.base.messages import Conversation, Message, as_dicts, conversation
from staragents.data.formats.format import TURNS, Format, Row, answered


@dataclass(frozen=True, slots=True)
class Opinion:
    """A conversation that ends with an answer, and whether the judge prefers it."""

    messages: Conversation
    desirable: bool


def to_row(opinion: Opinion) -> Row:
    prompt, answer = answered(opinion.messages)
    return {
        "prompt": as_dicts(prompt),
        "completion": [{"role": "assistant", "content": answer}],
        "label": opinion.desirable,
    }


def from_row(row: Row) -> Opinion:
    answer = Message("assistant", row["completion"][0]["content"])
    return Opinion((*conversation(row["prompt"]), answer), row["label"])


KTO = Format(
    "kto", pa.schema([("prompt", TURNS), ("completion", TURNS), ("label", pa.bool_())]), to_row, from_row
)
