"""The message of an answer, in the shapes in which servers write its text and its reasoning."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.engines.http_client import BadAnswer


class ChatMessage(msgspec.Struct):
    content: Any = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking: Any = None
    reasoning_details: Any = None

    def texts(self) -> tuple[str, str]:
        """Text and reasoning. Raises BadAnswer."""
        text, thought = _parts(self.content)
        given = (self.reasoning_content, self.reasoning, self.thinking, self.reasoning_details)
        reasoning = next((value for value in map(_joined, given) if value), thought)
        return text or self.refusal or "", reasoning


def _joined(value: Any) -> str:
    """A text, or the texts of an object or a list of parts; anything else is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _joined(next((value[name] for name in ("text", "summary", "content") if value.get(name)), ""))
    return "".join(map(_joined, value)) if isinstance(value, list) else ""


def _parts(content: Any) -> tuple[str, str]:
    """Text and reasoning of a message's content, which is a text, a part or a list of both. Raises
    BadAnswer."""
    if content is None or isinstance(content, str):
        return content or "", ""
    text, thought = "", ""
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            text += part
        elif isinstance(part, dict) and _is_thought(part):
            # Encrypted ones have no text.
            thought += _joined(part.get("thinking") or part.get("reasoning") or part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            text += part["text"]
        else:
            raise BadAnswer(
                "expected a text or parts with texts at `$.choices[0].message.content`, "
                f"got {str(content)[:80]}"
            )
    return text, thought


def _is_thought(part: dict[str, Any]) -> bool:
    kind = str(part.get("type"))
    return any(word in kind for word in ("thinking", "reasoning", "thought", "summary"))
