"""`dpo`: a prompt and two answers, each with its `reasoning_content`, as TRL and Axolotl read them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from staragents.base.candidate_schema import CONVERSATION_TYPE
from staragents.base.messages import Conversation, Message, as_dicts
from staragents.data.formats.format import CantCarry, Format, Row


@dataclass(frozen=True, slots=True)
class Preference:
    """Two answers to the same turns; the judge prefers the first."""

    prompt: Conversation
    chosen: str
    rejected: str
    chosen_reasoning: str | None = None
    rejected_reasoning: str | None = None


def to_row(preference: Preference) -> Row:
    if preference.chosen == preference.rejected:
        raise CantCarry("rejected", "expected a text that differs from chosen, got the same")
    return {
        "prompt": as_dicts(preference.prompt),
        "chosen": [Message("assistant", preference.chosen, preference.chosen_reasoning).as_dict()],
        "rejected": [Message("assistant", preference.rejected, preference.rejected_reasoning).as_dict()],
    }


_SCHEMA = pa.schema([(name, CONVERSATION_TYPE) for name in ("prompt", "chosen", "rejected")])
DPO = Format("dpo", _SCHEMA, to_row)
