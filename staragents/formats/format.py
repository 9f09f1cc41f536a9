"""What every format has: a name, columns, and a way there and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pyarrow as pa

from staragents.messages import Conversation

Row = dict[str, Any]
Sample = TypeVar("Sample")

TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
"""Messages as Arrow has them."""


class CantCarry(ValueError):
    """The format has no place for something in a sample; `field` says where it stands in its messages."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field}: {problem}")


@dataclass(frozen=True, slots=True)
class Format(Generic[Sample]):
    """`from_row(to_row(sample)) == sample` for every sample that `to_row` takes."""

    name: str
    schema: pa.Schema
    to_row: Callable[[Sample], Row]
    """Raises CantCarry."""
    from_row: Callable[[Row], Sample]


def one_exchange(messages: Conversation) -> tuple[str, str]:
    """The texts of a user turn and its answer. Raises CantCarry if the conversation is anything else."""
    for place, role in enumerate(("user", "assistant")):
        if len(messages) <= place:
            raise CantCarry("messages", f"expected a user turn and its answer, got {len(messages)} turns")
        if messages[place].role != role:
            got = messages[place].role
            raise CantCarry(
                f"messages[{place}].role", f"expected {role}: one question and its answer, got {got}"
            )
    if len(messages) > 2:
        raise CantCarry("messages[2]", f"expected a user turn and its answer, got {len(messages)} turns")
    return messages[0].content, messages[1].content


def answered(messages: Conversation) -> tuple[Conversation, str]:
    """What comes before the last turn, and its text. Raises CantCarry if that turn is no answer."""
    if not messages or messages[-1].role != "assistant":
        got = messages[-1].role if messages else "no turn"
        raise CantCarry(f"messages[{max(0, len(messages) - 1)}].role", f"expected assistant, got {got}")
    return messages[:-1], messages[-1].content
