"""The common type of all formats: name, schema and conversion functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pyarrow as pa

from staragents.base.messages import Conversation

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
    """No sample that `to_row` accepts loses anything: it can be restored from its row."""

    name: str
    schema: pa.Schema
    to_row: Callable[[Sample], Row]
    """Raises CantCarry."""


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


def answered(messages: Conversation) -> tuple[Conversation, str]:
    """The turns before the last one, and its text. Raises CantCarry if the last turn is not the
    assistant's."""
    if not messages or messages[-1].role != "assistant":
        got = messages[-1].role if messages else "no turn"
        raise CantCarry(f"messages[{max(0, len(messages) - 1)}].role", f"expected assistant, got {got}")
    return messages[:-1], messages[-1].content
