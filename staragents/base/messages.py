"""Conversations as tuples of messages, shared by seeds, prompts and candidates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]

REASONING = "reasoning_content"
"""The key of a turn's reasoning, as chat templates and trainers read it."""
_JOINT = "\n\n"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str
    reasoning_content: str | None = None
    """What the assistant thought before `content`: the name that chat templates and trainers use."""
    input: str | None = field(default=None, compare=False)
    """Of a user turn: the end of `content`, if the row had it in a column of its own. Scoring templates place
    it by themselves; everything else reads `content`, so turns that differ only in this are equal."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that a model trained on this turn may read: reasoning, if there is any, and content."""
        return (self.content,) if self.reasoning_content is None else (self.reasoning_content, self.content)

    @classmethod
    def with_input(cls, instruction: str, given: str) -> Message:
        """A user turn of two columns. `content` joins them by an empty line, and lacks blank input."""
        if not given:
            return cls("user", instruction)
        content = instruction if given.isspace() else f"{instruction}{_JOINT}{given}"
        return cls("user", content, input=given)

    @property
    def instruction(self) -> str:
        """`content` without its input."""
        if not self.input or self.input.isspace():
            return self.content
        return self.content.removesuffix(f"{_JOINT}{self.input}")

    def as_dict(self) -> dict[str, str]:
        """`role`, `content`, and `reasoning_content` if there is any."""
        turn: dict[str, str] = {"role": self.role, "content": self.content}
        return turn if self.reasoning_content is None else turn | {REASONING: self.reasoning_content}


Conversation = tuple[Message, ...]


def with_exchange(context: Conversation, instruction: str, response: str) -> Conversation:
    """`context` followed by a user turn and an assistant turn."""
    return (*context, Message("user", instruction), Message("assistant", response))


def with_inputs(messages: Conversation, known: Conversation) -> Conversation:
    """`messages` in which each turn that equals one of `known` has its input."""
    inputs = {turn: turn for turn in known if turn.input}
    return tuple(inputs.get(turn, turn) for turn in messages) if inputs else messages


def without_inputs(messages: Conversation) -> Conversation:
    """`messages` as a saved run has them: an input is only a part of its turn's content."""
    return tuple(replace(turn, input=None) if turn.input else turn for turn in messages)


def last_exchange(messages: Conversation) -> tuple[str, str]:
    """Instruction and response: the texts of the last two turns."""
    return messages[-2].content, messages[-1].content


def conversation(rows: list[dict[str, str]]) -> Conversation:
    """Messages from `[{"role": ..., "content": ...}]`, which must already be validated."""
    return tuple(
        Message(row["role"], row["content"], row.get(REASONING))  # type: ignore[arg-type]
        for row in rows
    )


def as_dicts(messages: Conversation) -> list[dict[str, str]]:
    return [message.as_dict() for message in messages]
