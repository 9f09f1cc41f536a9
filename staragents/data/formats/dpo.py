"""`dpo`: a prompt and two answers, as TRL and Axolotl read them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from staragents.base.candidate_schema import CONVERSATION_TYPE
from staragents.base.messages import Conversation, as_dicts
from staragents.data.formats.format import CantCarry, Format, Row


@dataclass(frozen=True, slots=True)
class Preference:
    """Two answers to the same turns; the judge prefers the first."""

    prompt: Conversation
    chosen: str
    rejected: str


def to_row(preference: Preference) -> Row:
    if preference.chosen == preference.rejected:
        raise CantCarry("rejected", "expected a text that differs from chosen, got the same")
    return {
        "prompt": as_dicts(preference.prompt),
        "chosen": [{"role": "assistant", "content": preference.chosen}],
        "rejected": [{"role": "assistant", "content": preference.rejected}],
    }


_SCHEMA = pa.schema([(name, CONVERSATION_TYPE) for name in ("prompt", "chosen", "rejected")])
DPO = Format("dpo", _SCHEMA, to_row)
