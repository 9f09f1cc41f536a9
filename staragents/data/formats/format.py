"""The common type of all formats: name, schema and conversion functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pyarrow as pa

from staragents.base.messages import REASONING, Conversation

Row = dict[str, Any]
Sample = TypeVar("Sample")


class CantCarry(ValueError):
    """The format can't represent a sample; `field` is the location in its messages."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field}: {problem}")


@dataclass(frozen=True, slots=True)
class Format(Generic[Sample]):
    """No sample that `to_row` accepts loses anything but its reasoning: it can be restored from its row."""

    name: str
    schema: pa.Schema
    to_row: Callable[[Sample], Row]
    """Raises CantCarry."""
    keeps_reasoning: bool = True
    """Whether rows have reasoning in a field of its own that trainers of the format read."""


def has_reasoning(row: Row) -> bool:
    """Whether a turn of the row has reasoning."""
    turns = (turn for value in row.values() if isinstance(value, list) for turn in value)
    return any(turn.get(REASONING) is not None for turn in turns)


def one_exchange(messages: Conversation) -> tuple[str, str]:
    """The texts of a user turn and its answer. Raises CantCarry for any other conversation."""
    for index, role in enumerate(("user", "assistant")):
        if len(messages) <= index:
            raise CantCarry("messages", f"expected a user turn and its answer, got {len(messages)} turns")
        if messages[index].role != role:
            got = messages[index].role
            raise CantCarry(
                f"messages[{index}].role", f"expected {role}: one question and its answer, got {got}"
            )
    if len(messages) > 2:
        raise CantCarry("messages[2]", f"expected a user turn and its answer, got {len(messages)} turns")
    return messages[0].content, messages[1].content


def answered(messages: Conversation) -> Conversation:
    """The turns before the last one. Raises CantCarry if that is not the assistant's."""
    if not messages or messages[-1].role != "assistant":
        got = messages[-1].role if messages else "no turn"
        raise CantCarry(f"messages[{max(0, len(messages) - 1)}].role", f"expected assistant, got {got}")
    return messages[:-1]
