"""Parses a list of turns: OpenAI's role and content, ShareGPT's from and value, or plain strings."""

from __future__ import annotations

from typing import Any

from staragents.base.messages import Conversation, Message, Role
from staragents.data.readers.answers import (
    answer_message,
    reasoning_text,
    united,
)
from staragents.data.readers.labels import check_turn
from staragents.data.readers.raw_row import InvalidRow, shown
from staragents.data.readers.texts import Texts
from staragents.data.readers.turn_parts import ROLES, THOUGHT_ROLES, TOOL_ROLES, TurnPart, parts_of


def conversation_of(
    turns: Any, column: str, texts: Texts, *, rewritable: bool, then: tuple[int, str] | None = None
) -> Conversation:
    """A conversation that ends with the assistant's turn. `rewritable` requires that the last exchange is
    between user and assistant, without a tool. `then`: from which turn on they are from which other column,
    for messages. Raises InvalidRow."""
    if not isinstance(turns, list) or not turns:
        raise InvalidRow(column, "expected a list of messages", shown(turns))
    more, other = then or (len(turns), "")
    fields = [f"{column}[{index}]" for index in range(more)]
    fields += [f"{other}[{index}]" for index in range(len(turns) - more)]
    said = _Said(texts)
    for index, turn in enumerate(turns):
        for part in parts_of(turn, fields[index], index, texts):
            said.add(part, is_first=index == 0)
    last = fields[-1]
    if said.thoughts:
        raise InvalidRow(last, "expected an answer after the thought", "nothing")
    if said.last_role != "assistant":
        raise InvalidRow(f"{last}.role", "expected the last message from assistant")
    if rewritable and said.ends_with_tool:
        raise InvalidRow(last, "expected a last exchange without a tool", "one with a tool")
    if isinstance(turns[-1], dict) and len(turns[-1]) > 2:
        check_turn(turns[-1], last)
    return tuple(said.messages)


class _Said:
    """The messages so far, which alternate between user and assistant, and which of them are from a tool."""

    def __init__(self, texts: Texts) -> None:
        self.messages: list[Message] = []
        self.thoughts: list[str] = []
        """What the assistant thought since its last message."""
        self._from_tool: list[bool] = []
        self._texts = texts

    @property
    def last_role(self) -> Role | None:
        return self.messages[-1].role if self.messages else None

    @property
    def next_role(self) -> Role:
        return "assistant" if self.last_role == "user" else "user"

    @property
    def ends_with_tool(self) -> bool:
        """Whether a tool is part of the last exchange."""
        return any(self._from_tool[-2:])

    def add(self, part: TurnPart, is_first: bool) -> None:
        """Raises InvalidRow if it is not this speaker's turn."""
        if part.role in THOUGHT_ROLES:
            self.thoughts.append(reasoning_text(self._texts, part.value, part.field))
            return
        is_tool = part.role in TOOL_ROLES
        speaker = TOOL_ROLES[part.role] if is_tool else ROLES.get(part.role)
        if speaker == "system" and is_first:
            self._open_with(self._texts.optional(part.value, part.field))
        elif speaker == "system" and self.messages and part.value == self.messages[0].content:
            return  # repeated in every turn
        elif speaker == "system" and self.last_role == "system" and part.role == "developer":
            # What the model is, then what its developer wants, as in gpt-oss' template.
            self._continue_with(Message("system", self._texts.text(part.value, part.field)), False)
        elif self._is_continued_by(speaker, is_tool):
            self._continue_with(self._message(part, speaker), is_tool)
        elif speaker is not None and speaker == self.next_role:
            self._append(self._message(part, speaker), is_tool)
        else:
            expected = "system or user" if is_first else self.next_role
            got = shown(part.named or part.role)
            raise InvalidRow(f"{part.whole}.role", f"expected {expected}", got)

    def _message(self, part: TurnPart, speaker: Role | None) -> Message:
        if speaker == "assistant":
            thought = united((*self.thoughts, part.reasoning)) if self.thoughts else part.reasoning
            self.thoughts = []
            return answer_message(self._texts, part.value, part.field, thought)
        return Message("user", self._texts.text(part.value, part.field))

    def _is_continued_by(self, role: Role | None, is_tool: bool) -> bool:
        """Parallel calls or results, or text before a call, are one message."""
        return bool(self.messages) and role == self.last_role and (is_tool or self._from_tool[-1])

    def _open_with(self, text: str) -> None:
        # Many datasets have an empty system prompt in every row: drop it.
        if text.strip():
            self._append(Message("system", text), False)

    def _continue_with(self, message: Message, is_tool: bool) -> None:
        last = self.messages[-1]
        thought = united((last.reasoning_content or "", message.reasoning_content or ""))
        self.messages[-1] = Message(last.role, f"{last.content}\n\n{message.content}", thought or None)
        self._from_tool[-1] |= is_tool

    def _append(self, message: Message, is_tool: bool) -> None:
        self.messages.append(message)
        self._from_tool.append(is_tool)
