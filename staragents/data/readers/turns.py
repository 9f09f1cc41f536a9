"""Parses a list of turns: OpenAI's role and content, ShareGPT's from and value, or plain strings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from staragents.base.messages import Conversation, Message, Role
from staragents.data.readers.answers import (
    REASONING_KEYS,
    THOUGHT_PARTS,
    answer_message,
    part_text,
    reasoning_text,
    united,
)
from staragents.data.readers.column_names import plain
from staragents.data.readers.labels import check_turn
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
        for part in _parts(turn, fields[index], index, texts):
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


@dataclass(slots=True)
class _Part:
    """One speaker's part of a turn. `whole` is the field of the turn, `named` the role as it stands there."""

    role: str
    value: Any
    field: str
    whole: str
    reasoning: str = ""
    named: Any = None


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

    def add(self, part: _Part, is_first: bool) -> None:
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
        elif self._is_continued_by(speaker, is_tool):
            self._continue_with(self._message(part, speaker), is_tool)
        elif speaker is not None and speaker == self.next_role:
            self._append(self._message(part, speaker), is_tool)
        else:
            expected = "system or user" if is_first else self.next_role
            got = shown(part.named or part.role)
            raise InvalidRow(f"{part.whole}.role", f"expected {expected}", got)

    def _message(self, part: _Part, speaker: Role | None) -> Message:
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


def _parts(turn: Any, field: str, index: int, texts: Texts) -> list[_Part]:
    """One part of a turn, or two for a question and its answer, after their system prompt."""
    if isinstance(turn, str):
        # Plain strings alternate between user and assistant.
        return [_Part(("user", "assistant")[index % 2], turn, field, field)]
    if isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) for text in turn):
        named = turn[0].strip().lower()
        if named in ROLES or named in TOOL_ROLES:
            return [_Part(named, turn[1], f"{field}[1]", field, "", turn[0])]
        return [
            _Part("user", turn[0], f"{field}[0]", field),
            _Part("assistant", turn[1], f"{field}[1]", field),
        ]
    if isinstance(turn, dict) and len(turn) == 2:
        # Nearly every turn: nothing to look for but these.
        for named, column in PLAIN_TURNS:
            role, content = turn.get(named), turn.get(column)
            if isinstance(role, str) and isinstance(content, str):
                return [_Part(role.strip().lower(), content, f"{field}.{column}", field, "", role)]
    role = _role(turn)
    if isinstance(turn, dict) and role is None:
        turn = {plain(name) if isinstance(name, str) else name: value for name, value in turn.items()}
        role = _role(turn)
    if isinstance(turn, dict) and role is None:
        asked, answered = ([name for name in names if name in turn] for names in (ASKED, ANSWERED))
        if asked and answered:
            return _pair_parts(turn, (asked, answered), field, index, texts)
        if turn.get("type") == "reasoning":
            return [_Part("reasoning", part_text(turn), field, field)]
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
        return [_Part("tool_call", text, field, field, reasoning, role)]
    return [_Part(name, content, f"{field}.{text_column}", field, reasoning, role)]


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
) -> list[_Part]:
    asked, answered = (_only(turn, found, field) for found in names)
    parts = [
        _Part("user", turn[asked], f"{field}.{asked}", field),
        _Part("assistant", turn[answered], f"{field}.{answered}", field, _reasoning(turn, field, texts)),
    ]
    system = turn.get("system")
    if index and not (isinstance(system, str) and system.strip()):
        return parts
    return [_Part("system", system, f"{field}.system", field), *parts]


def _only(turn: dict[str, Any], names: list[str], field: str) -> str:
    """The key that has a value, or the first if none has one. Raises InvalidRow if several have."""
    filled = [name for name in names if turn[name]]
    if len(filled) > 1:
        expected = f"expected one of {' and '.join(filled)} in a turn"
        raise InvalidRow(f"{field}.{filled[0]}", expected, "both")
    return (filled or names)[0]


def _reasoning(turn: dict[str, Any], field: str, texts: Texts) -> str:
    names = [name for name in REASONING_KEYS if turn.get(name)]
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
