"""`prompt-completion`: two texts, without reasoning."""

from __future__ import annotations

import pyarrow as pa

from staragents.base.messages import Conversation
from staragents.data.formats.format import Format, Row, one_exchange


def to_row(messages: Conversation) -> Row:
    prompt, completion = one_exchange(messages)
    return {"prompt": prompt, "completion": completion}


_SCHEMA = pa.schema([("prompt", pa.string()), ("completion", pa.string())])
PROMPT_COMPLETION = Format("prompt-completion", _SCHEMA, to_row, keeps_reasoning=False)
