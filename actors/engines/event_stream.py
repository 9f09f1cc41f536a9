"""Answers that come as server-sent events although no stream was requested."""

from __future__ import annotations

import json
from typing import Any

from actors.engines.http_client import BadAnswer

_DONE = b"[DONE]"
TEXTS = ("content", "reasoning_content", "reasoning", "thinking", "refusal")


def is_event_stream(body: bytes) -> bool:
    start = body[:64].lstrip()
    return start.startswith((b"data:", b"event:", b": ", b":\n", b"id:", b"retry:"))


def joined_events(body: bytes) -> dict[str, Any] | None:
    """The answer that the events of `body` make up, in the form of one that is not streamed; an event that
    reports an error; None if no event has content. Raises BadAnswer if the events break off, ValueError for
    invalid JSON."""
    choice: dict[str, Any] = {}
    answer: dict[str, Any] = {}
    for event in _events(body):
        if event.get("error") or ("choices" not in event and "message" in event):
            # Without the part of an answer that came with it.
            return {name: value for name, value in event.items() if name != "choices"}
        if event.get("usage"):
            answer["usage"] = event["usage"]
        choices = event.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            _extend(choice, choices[0])
            answer["choices"] = [choice]
    for texts in (choice, choice.get("message", {})):
        texts |= {name: "".join(texts[name]) for name in ("text", *TEXTS) if name in texts}
    if choice and "finish_reason" not in choice and _DONE not in body:
        # A closed connection ends a stream without an error.
        raise BadAnswer("the events of the answer break off before its end")
    return answer or None


def _events(body: bytes) -> list[dict[str, Any]]:
    found = []
    for line in body.split(b"\n"):
        name, _, data = line.strip().partition(b":")
        data = data.strip()
        if name == b"data" and data and data != _DONE:
            event = json.loads(data)
            if isinstance(event, dict):
                found.append(event)
    return found


def _extend(choice: dict[str, Any], event: dict[str, Any]) -> None:
    delta = event.get("delta") or event.get("message")
    if isinstance(delta, dict):
        message = choice.setdefault("message", {})
        for name in TEXTS:
            _append(message, name, delta.get(name))
    if "text" in event:
        choice.setdefault("text", [])
        _append(choice, "text", event["text"])
    if event.get("finish_reason") is not None:
        choice["finish_reason"] = event["finish_reason"]
    if isinstance(event.get("logprobs"), dict):
        for name, values in event["logprobs"].items():
            if isinstance(values, list):
                choice.setdefault("logprobs", {}).setdefault(name, []).extend(values)


def _append(texts: dict[str, Any], name: str, part: Any) -> None:
    """Parts are collected in a list, as appending to a text would copy it for every token."""
    if isinstance(part, str) and part:
        texts.setdefault(name, []).append(part)
