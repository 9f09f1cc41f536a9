"""The speakers, texts and thoughts of a turn, in any of its forms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from staragents.base.messages import Role
from staragents.data.readers.answers import REASONINGS, THOUGHT_PARTS, part_text, reasoning_text, united
from staragents.data.readers.column_names import plain
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
    "ai": "assistant",
    "chatbot": "assistant",
    "claude": "assistant",
    "bing": "assistant",
    "bard": "assistant",
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

THOUGHT_ROLES = ("reasoning", "thinking", "think", "thought", "analysis")
"""Turns of what the assistant thought before its next turn."""
ROLE_KEYS = ("role", "from", "speaker", "sender")
CONTENTS = ("content", "value", "text", "message", "utterance", "parts")
PLAIN_TURNS = (("role", "content"), ("from", "value"))
ASKED = ("input", "human", "user", "question", "query", "prompt", "instruction", "q")
ANSWERED = ("output", "assistant", "gpt", "chatgpt", "bot", "answer", "response", "completion", "a")
"""Keys of a turn that holds a question and its answer."""


def is_sharegpt(turns: Any) -> bool:
    return bool(isinstance(turns, list) and turns and isinstance(turns[0], dict) and turns[0].get("from"))


def role_of(turn: Any) -> Role | None:
    """The role of a turn, if it names one that is known."""
    role = _role(turn)
    known = ROLES | TOOL_ROLES
    return known.get(role.strip().lower()) if isinstance(role, str) else None


def messages_in(cell: dict[str, Any]) -> list[Any] | None:
    """The messages of an object that is one, holds a list of them, or is a server's reply; else None."""
    if role_of(cell) is not None:
        return [cell]
    if isinstance(cell.get("messages"), list):
        return list(cell["messages"])
    choices = cell.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    return [message] if isinstance(message, dict) else None


@dataclass(slots=True)
class TurnPart:
    """One speaker's part of a turn. `whole` is the field of the turn, `named` the role as it stands there."""

    role: str
    value: Any
    field: str
    whole: str
    reasoning: str = ""
    named: Any = None


def parts_of(turn: Any, field: str, index: int, texts: Texts) -> list[TurnPart]:
    """One part of a turn, or two for a question and its answer, after their system prompt."""
    if isinstance(turn, str):
        # Plain strings alternate between user and assistant.
        return [TurnPart(("user", "assistant")[index % 2], turn, field, field)]
    if isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) for text in turn):
        named = turn[0].strip().lower()
        if named in ROLES or named in TOOL_ROLES:
            return [TurnPart(named, turn[1], f"{field}[1]", field, "", turn[0])]
        return [
            TurnPart("user", turn[0], f"{field}[0]", field),
            TurnPart("assistant", turn[1], f"{field}[1]", field),
        ]
    if isinstance(turn, dict) and len(turn) == 2:
        # Nearly every turn: nothing to look for but these.
        for named, column in PLAIN_TURNS:
            role, content = turn.get(named), turn.get(column)
            if isinstance(role, str) and isinstance(content, str):
                return [TurnPart(role.strip().lower(), content, f"{field}.{column}", field, "", role)]
    role = _role(turn)
    if isinstance(turn, dict) and role is None:
        turn = {plain(name) if isinstance(name, str) else name: value for name, value in turn.items()}
        role = _role(turn)
    if isinstance(turn, dict) and role is None:
        asked, answered = ([name for name in names if name in turn] for names in (ASKED, ANSWERED))
        if asked and answered:
            return _pair_parts(turn, (asked, answered), field, index, texts)
        if turn.get("type") == "reasoning":
            return [TurnPart("reasoning", part_text(turn), field, field)]
        turn = _with_role(turn)
        role = _role(turn)
    text_column = _content_column(turn) if isinstance(turn, dict) and role is not None else None
    if text_column is None:
        raise InvalidRow(field, "expected an object with role and content")
    content, thought = turn.get(text_column), ""
    if isinstance(content, dict):
        content = content.get("parts", content.get("text", content))
    if isinstance(content, list):
        content, thought = joined(content, f"{field}.{text_column}")
    name = role.strip().lower() if isinstance(role, str) else shown(role)
    reasoning = ""
    if ROLES.get(name) == "assistant" and turn.get("channel") in THOUGHT_ROLES:
        name = "analysis"
    if ROLES.get(name) == "assistant" or name in TOOL_ROLES:
        reasoning = _reasoning(turn, field, texts)
        reasoning = united((reasoning, thought)) if thought else reasoning
    if calls := turn.get("tool_calls") or turn.get("function_call"):
        call = json.dumps(calls, ensure_ascii=False, default=str)
        text = f"{content}\n\n{call}" if isinstance(content, str) and content else call
        return [TurnPart("tool_call", text, field, field, reasoning, role)]
    return [TurnPart(name, content, f"{field}.{text_column}", field, reasoning, role)]


def _with_role(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn whose role is its `type`, as of LangChain, or the name of its only key."""
    kind = turn.get("type")
    if isinstance(kind, str) and kind.lower() in ROLES:
        data = turn.get("data")
        return {**(data if isinstance(data, dict) else turn), "role": kind}
    (name, content), *more = turn.items() or [("", None)]
    return {"role": name, "content": content} if name in ROLES and not more else turn


def _pair_parts(
    turn: dict[str, Any], names: tuple[list[str], list[str]], field: str, index: int, texts: Texts
) -> list[TurnPart]:
    asked, answered = (_only(turn, found, field) for found in names)
    parts = [
        TurnPart("user", turn[asked], f"{field}.{asked}", field),
        TurnPart("assistant", turn[answered], f"{field}.{answered}", field, _reasoning(turn, field, texts)),
    ]
    system = turn.get("system")
    if index and not (isinstance(system, str) and system.strip()):
        return parts
    return [TurnPart("system", system, f"{field}.system", field), *parts]


def _only(turn: dict[str, Any], names: list[str], field: str) -> str:
    """The key that has a value, or the first if none has one. Raises InvalidRow if several have."""
    filled = [name for name in names if turn[name]]
    if len(filled) > 1:
        expected = f"expected one of {' and '.join(filled)} in a turn"
        raise InvalidRow(f"{field}.{filled[0]}", expected, ", ".join(filled))
    return (filled or names)[0]


def _reasoning(turn: dict[str, Any], field: str, texts: Texts) -> str:
    names = [name for name in REASONINGS if turn.get(name)]
    return united(reasoning_text(texts, turn[name], f"{field}.{name}") for name in names) if names else ""


def _content_column(turn: dict[str, Any]) -> str | None:
    """The column of a turn's text; the text may be null or, beside tool calls, missing. None without text."""
    for name in CONTENTS:
        if turn.get(name) is not None:
            return name
    return (
        "content"
        if turn.get("tool_calls") or turn.get("function_call") or "content" in turn or "value" in turn
        else None
    )


def _role(turn: Any) -> Any:
    if not isinstance(turn, dict):
        return None
    for name in ROLE_KEYS:
        if (role := turn.get(name)) is not None:
            return role
    return None


def joined(parts: list[Any], field: str) -> tuple[str, str]:
    """OpenAI content that comes in parts, joined, and the thoughts among them. Only text parts and thoughts
    are supported."""
    texts, thoughts = [], []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else part
        if isinstance(part, dict) and kind in THOUGHT_PARTS:
            thoughts.append(part_text(part))
        elif isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            raise InvalidRow(field, "expected parts of text", shown(kind))
    return "\n".join(texts), united(thoughts)
