"""Log-probabilities in the answers of a server with OpenAI's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from staragents.base.generation import TokenLogprobs

Note = Callable[..., None]
"""Receives a remark about the server for the user, the same text each time, and a detail that may differ."""


class ChatToken(msgspec.Struct):
    token: str
    logprob: Any = None
    top_logprobs: list[ChatToken] | None = None


class ChatLogprobs(msgspec.Struct):
    content: list[ChatToken] | None = None

    def tokens(self) -> tuple[TokenLogprobs, ...]:
        return tuple(
            TokenLogprobs(t.token, {o.token: o.logprob for o in (t, *(t.top_logprobs or ()))})
            for t in self.content or ()
        )


class TextLogprobs(msgspec.Struct):
    """Of raw prompts; some servers use it for conversations too (Together)."""

    tokens_: list[str] = msgspec.field(name="tokens", default_factory=list)
    token_logprobs: list[Any] = []
    top_logprobs: list[dict[str, Any] | None] | None = None

    def tokens(self) -> tuple[TokenLogprobs, ...]:
        tops = self.top_logprobs or [None] * len(self.tokens_)
        return tuple(
            TokenLogprobs(token, {token: chosen, **(top or {})})
            for token, chosen, top in zip(self.tokens_, self.token_logprobs, tops, strict=True)
        )


def read_logprobs(value: Any, chat: bool, note: Note) -> tuple[TokenLogprobs, ...]:
    """Log-probabilities of every token; empty if missing or unreadable."""
    if value is None:
        return ()
    try:
        in_lists = not chat or (isinstance(value, dict) and value.get("tokens") and not value.get("content"))
        shape: type[ChatLogprobs] | type[TextLogprobs] = TextLogprobs if in_lists else ChatLogprobs
        return msgspec.convert(value, shape).tokens()
    except ValueError:
        note("returns unreadable log-probabilities; verdicts use only the label")
        return ()


def of_answer(logprobs: tuple[TokenLogprobs, ...], text: str) -> tuple[TokenLogprobs, ...]:
    """Without the tokens of the reasoning, which come first on servers that return them at all."""
    start = "".join(token.text for token in logprobs).rfind(text.strip()) if text.strip() else 0
    for number, token in enumerate(logprobs):
        if start <= 0:
            return logprobs[number:]
        start -= len(token.text)
    return logprobs if start <= 0 else ()
