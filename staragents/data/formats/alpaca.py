"""`alpaca`: instruction, input and output; one question and its answer, without reasoning."""

from __future__ import annotations

import pyarrow as pa

from staragents.base.messages import Conversation
from staragents.data.formats.format import Format, Row, one_exchange


def to_row(messages: Conversation) -> Row:
    """`input` stays empty, as a user turn does not mark where the instruction ends and the input begins."""
    instruction, output = one_exchange(messages)
    return {"instruction": instruction, "input": "", "output": output}


_SCHEMA = pa.schema([(name, pa.string()) for name in ("instruction", "input", "output")])
ALPACA = Format("alpaca", _SCHEMA, to_row, keeps_reasoning=False)
