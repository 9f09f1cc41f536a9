"""`dpo`: a prompt and two answers, as TRL and Axolotl read them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from staragents.base.messages import Conversation, as_dicts, conversation
from staragents.data.formats.format import TURNS, CantCarry, Format, Row


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


def from_row(row: Row) -> Preference:
    return Preference(conversation(row["prompt"]), row["chosen"][0]["content"], row["rejected"][0]["content"])


DPO = Format("dpo", pa.schema([(name, TURNS) for name in ("prompt", "chosen", "rejected")]), to_row, from_row)
