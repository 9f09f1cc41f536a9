"""Parses a list of turns: OpenAI's role and content, ShareGPT's from and value, or plain strings."""

from __future__ import annotations

import json
from collections.abc import Iterator
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


def is_sharegpt(turns: Any) -> bool:
    return bool(isinstance(turns, list) and turns and isinstance(turns[0], dict) and turns[0].get("from"))


def conversation_of(turns: Any, column: str, texts: Texts, *, rewritable: bool) -> Conversation:
    """A conversation that ends with the assistant's turn. `rewritable` requires that the last exchange is
    between user and assistant, without a tool. Raises InvalidRow."""
    if not isinstance(turns, list) or not turns:
        raise InvalidRow(column, "expected a list of messages", shown(turns))
    messages: list[Message] = []
    last_tools = [False, False]
    for index, turn in enumerate(turns):
        for role, value, field in _parts(turn, f"{column}[{index}]", index):
            is_tool = role in TOOL_ROLES
            spoken = TOOL_ROLES[role] if is_tool else ROLES.get(role)
            before = messages[-1].role if messages else None
            if spoken == "system" and index == 0:
                # Many datasets have an empty system prompt in every row: drop it.
                text = texts.optional(value, field)
                messages += [Message("system", text)] if text.strip() else []
                continue
            if before is not None and spoken == before and (is_tool or last_tools[-1]):
                # Parallel calls or results, or text before a call, are one turn.
                messages[-1] = Message(before, f"{messages[-1].content}\n\n{texts.text(value, field)}")
                last_tools[-1] |= is_tool
                continue
            expected: Role = "assistant" if before == "user" else "user"
            if spoken != expected:
                first = "system or user" if index == 0 else expected
                got = shown(_role(turn) or role)
                raise InvalidRow(f"{column}[{index}].role", f"expected {first}", got)
            messages.append(Message(expected, texts.text(value, field)))
            last_tools = [last_tools[-1], is_tool]
    if not messages or messages[-1].role != "assistant":
        raise InvalidRow(f"{column}[{len(turns) - 1}].role", "expected the last message from assistant")
    if rewritable and any(last_tools):
        field = f"{column}[{len(turns) - 1}]"
        raise InvalidRow(field, "expected a last exchange without a tool", "one with a tool")
    return tuple(messages)


def _parts(turn: Any, field: str, index: int) -> Iterator[tuple[str, Any, str]]:
    """Role, value and field of each part of a turn: one, or two for a pair of input and output."""
    if isinstance(turn, str):
        # Plain strings alternate between user and assistant.
        yield ("user", "assistant")[index % 2], turn, field
        return
    if isinstance(turn, dict):
        role = _role(turn)
        if role is None and "input" in turn and "output" in turn:
            yield "user", turn["input"], f"{field}.input"
            yield "assistant", turn["output"], f"{field}.output"
            return
        name = next((key for key in ("content", "value", "text") if turn.get(key) is not None), None)
        calls = turn.get("tool_calls")
        if role is not None and (name or calls or "content" in turn or "value" in turn):
            name = name or "content"
            known = role.lower() if isinstance(role, str) else shown(role)
            if calls:
                said = _content(turn.get(name), f"{field}.{name}")
                call = json.dumps(calls, ensure_ascii=False, default=str)
                yield "tool_call", f"{said}\n\n{call}" if isinstance(said, str) and said else call, field
                return
            yield known, _content(turn.get(name), f"{field}.{name}"), f"{field}.{name}"
            return
    raise InvalidRow(field, "expected an object with role and content")


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
