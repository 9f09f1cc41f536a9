"""Parses a list of turns: OpenAI's role and content, ShareGPT's from and value, or plain strings."""

from __future__ import annotations

import json
from typing import Any

from staragents.base.messages import Conversation, Message, Role
from staragents.data.readers.raw_row import InvalidRow, shown
from staragents.data.readers.texts import Texts

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
TOOL_ROLES: dict[str, Role] = {
    "function_call": "assistant",
    "tool_call": "assistant",
    "observation": "user",
    "function": "user",
    "function_response": "user",
    "tool": "user",
    "tool_response": "user",
    "ipython": "user",
}
"""Tool turns: calls count as assistant turns, results as user turns."""

CONTENTS = ("content", "value", "text")


def is_sharegpt(turns: Any) -> bool:
    return bool(isinstance(turns, list) and turns and isinstance(turns[0], dict) and turns[0].get("from"))


def conversation_of(turns: Any, column: str, texts: Texts, *, rewritable: bool) -> Conversation:
    """A conversation that ends with the assistant's turn. `rewritable` requires that the last exchange is
    between user and assistant, without a tool. Raises InvalidRow."""
    if not isinstance(turns, list) or not turns:
        raise InvalidRow(column, "expected a list of messages", shown(turns))
    said = _Said()
    for index, turn in enumerate(turns):
        for role, value, field in _parts(turn, f"{column}[{index}]", index):
            is_tool = role in TOOL_ROLES
            speaker = TOOL_ROLES[role] if is_tool else ROLES.get(role)
            if speaker == "system" and index == 0:
                said.open_with(texts.optional(value, field))
            elif said.is_continued_by(speaker, is_tool):
                said.continue_with(texts.text(value, field), is_tool)
            elif speaker == said.next_role:
                said.append(texts.text(value, field), is_tool)
            else:
                expected = "system or user" if index == 0 else said.next_role
                got = shown(_role(turn) or role)
                raise InvalidRow(f"{column}[{index}].role", f"expected {expected}", got)
    last = f"{column}[{len(turns) - 1}]"
    if said.last_role != "assistant":
        raise InvalidRow(f"{last}.role", "expected the last message from assistant")
    if rewritable and said.ends_with_tool:
        raise InvalidRow(last, "expected a last exchange without a tool", "one with a tool")
    return tuple(said.messages)


class _Said:
    """The messages so far, which alternate between user and assistant, and which of them are from a tool."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._from_tool: list[bool] = []

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

    def is_continued_by(self, role: Role | None, is_tool: bool) -> bool:
        """Parallel calls or results, or text before a call, are one message."""
        return bool(self.messages) and role == self.last_role and (is_tool or self._from_tool[-1])

    def open_with(self, text: str) -> None:
        # Many datasets have an empty system prompt in every row: drop it.
        if text.strip():
            self._add(Message("system", text), False)

    def append(self, text: str, is_tool: bool) -> None:
        self._add(Message(self.next_role, text), is_tool)

    def continue_with(self, text: str, is_tool: bool) -> None:
        last = self.messages[-1]
        self.messages[-1] = Message(last.role, f"{last.content}\n\n{text}")
        self._from_tool[-1] |= is_tool

    def _add(self, message: Message, is_tool: bool) -> None:
        self.messages.append(message)
        self._from_tool.append(is_tool)


def _parts(turn: Any, field: str, index: int) -> list[tuple[str, Any, str]]:
    """Role, value and field of each part of a turn: one, or two for a pair of input and output."""
    if isinstance(turn, str):
        # Plain strings alternate between user and assistant.
        return [(("user", "assistant")[index % 2], turn, field)]
    role = _role(turn)
    if isinstance(turn, dict) and role is None and "input" in turn and "output" in turn:
        return [
            ("user", turn["input"], f"{field}.input"),
            ("assistant", turn["output"], f"{field}.output"),
        ]
    column = _content_column(turn) if isinstance(turn, dict) and role is not None else None
    if column is None:
        raise InvalidRow(field, "expected an object with role and content")
    content = _content(turn.get(column), f"{field}.{column}")
    if calls := turn.get("tool_calls"):
        call = json.dumps(calls, ensure_ascii=False, default=str)
        text = f"{content}\n\n{call}" if isinstance(content, str) and content else call
        return [("tool_call", text, field)]
    return [(role.lower() if isinstance(role, str) else shown(role), content, f"{field}.{column}")]


def _content_column(turn: dict[str, Any]) -> str | None:
    """The column of a turn's text; the text may be null or, beside tool calls, missing. None without text."""
    for name in CONTENTS:
        if turn.get(name) is not None:
            return name
    return "content" if turn.get("tool_calls") or "content" in turn or "value" in turn else None


def _role(turn: Any) -> Any:
    if not isinstance(turn, dict):
        return None
    role = turn.get("role")
    return turn.get("from") if role is None else role


def _content(value: Any, field: str) -> Any:
    """Join OpenAI content that comes in parts. Only text parts are supported."""
    if not isinstance(value, list):
        return value
    for part in value:
        if not isinstance(part, dict) or not isinstance(part.get("text"), str):
            kind = part.get("type") if isinstance(part, dict) else part
            raise InvalidRow(field, "expected parts of text", shown(kind))
    return "\n".join(part["text"] for part in value)
