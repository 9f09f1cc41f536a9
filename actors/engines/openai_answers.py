"""Parse and check the answers of a server with OpenAI's API before use."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, cast

import msgspec

from actors.engines.http_client import BadAnswer, Reply
from staragents.base.generation import Generation, GenerationRequest, TokenLogprobs

# Well-behaved servers stay far below: no tokenizer's average token comes near 256 bytes, escaped or not, and
# an entry of log-probabilities has a token, its number and its bytes. The rest is ids and settings.
BYTES_PER_TOKEN = 256
BYTES_AROUND = 64 * 1024
# More than any model's context holds, so a larger count must be wrong.
MOST_TOKENS = 10_000_000
# The usual estimate if the server reports no count.
BYTES_PER_COUNTED_TOKEN = 4

Note = Callable[[str], None]
"""Receives a remark about the server for the user; the same text each time."""


class ContentFiltered(Exception):
    """The server's filter stopped the answer."""


class ChatMessage(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class ChatChoice(msgspec.Struct):
    message: ChatMessage
    finish_reason: str | None = None
    logprobs: Any = None

    @property
    def text(self) -> str:
        return self.message.content or self.message.refusal or ""


class ChatAnswer(msgspec.Struct):
    choices: Annotated[list[ChatChoice], msgspec.Meta(min_length=1)]
    usage: Any = None


class TextChoice(msgspec.Struct):
    text: str
    finish_reason: str | None = None
    logprobs: Any = None


class TextAnswer(msgspec.Struct):
    choices: Annotated[list[TextChoice], msgspec.Meta(min_length=1)]
    usage: Any = None


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
    tokens_: list[str] = msgspec.field(name="tokens", default_factory=list)
    token_logprobs: list[Any] = []
    top_logprobs: list[dict[str, Any] | None] | None = None

    def tokens(self) -> tuple[TokenLogprobs, ...]:
        tops = self.top_logprobs or [None] * len(self.tokens_)
        return tuple(
            TokenLogprobs(token, {token: chosen, **(top or {})})
            for token, chosen, top in zip(self.tokens_, self.token_logprobs, tops, strict=True)
        )


def most_bytes(request: GenerationRequest) -> int:
    """Size limit of an answer's body, in bytes: BYTES_PER_TOKEN for each token and each alternative."""
    entries = 1 + (1 + request.top_logprobs if request.top_logprobs else 0)
    return BYTES_AROUND + request.sampling.max_tokens * entries * BYTES_PER_TOKEN


def read_generation(reply: Reply, request: GenerationRequest, seconds: float, note: Note) -> Generation:
    """The generation in a successful reply. Raises BadAnswer ("expected X, got Y") or ContentFiltered."""
    chat = request.messages is not None
    content = parsed(reply)
    answer: ChatAnswer | TextAnswer
    try:
        answer = msgspec.convert(content, ChatAnswer) if chat else msgspec.convert(content, TextAnswer)
    except ValueError as error:  # includes msgspec.ValidationError
        raise BadAnswer(f"not an answer of the API: {error}") from None
    choice = answer.choices[0]
    if choice.finish_reason == "content_filter":
        raise ContentFiltered
    if choice.finish_reason not in ("stop", "length"):
        raise BadAnswer(f"expected finish_reason stop or length, got {choice.finish_reason!r}")
    logprobs = _logprobs(choice.logprobs, chat, note)
    usage = answer.usage if isinstance(answer.usage, dict) else {}
    return Generation(
        text=choice.text,
        finish_reason=cast(Literal["stop", "length"], choice.finish_reason),
        tokens_in=_count(usage.get("prompt_tokens"), _estimate(_prompt(request)), note),
        tokens_out=_count(usage.get("completion_tokens"), len(logprobs) or _estimate(choice.text), note),
        seconds=seconds,
        logprobs=logprobs,
    )


def parsed(reply: Reply) -> Any:
    """Parse the body as JSON, whatever its Content-Type. Raises BadAnswer."""
    if not reply.body.strip():
        raise BadAnswer("expected JSON, got an empty body")
    try:
        # Not msgspec: some servers write NaN for numbers that we don't need.
        return json.loads(reply.body)
    except RecursionError:
        raise BadAnswer("expected the JSON of an answer, got it nested too deeply") from None
    except ValueError as error:
        start = reply.body[:80].decode("utf-8", "replace")
        kind = reply.headers.get("content-type", "no Content-Type")
        raise BadAnswer(f"expected JSON in UTF-8, got {start!r} ({kind}): {error}") from None


def _logprobs(value: Any, chat: bool, note: Note) -> tuple[TokenLogprobs, ...]:
    """Log-probabilities of every token; empty if missing or unreadable."""
    if value is None:
        return ()
    try:
        shape: type[ChatLogprobs] | type[TextLogprobs] = ChatLogprobs if chat else TextLogprobs
        return msgspec.convert(value, shape).tokens()
    except ValueError:
        note("returns unreadable log-probabilities; verdicts use only the label")
        return ()


def _count(value: Any, estimate: int, note: Note) -> int:
    """The token count from the server, or the estimate if that is no valid count."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
        return value
    note("returns no usable token counts (usage); they are estimated from the texts")
    return estimate


def _estimate(text: str) -> int:
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_COUNTED_TOKEN)


def _prompt(request: GenerationRequest) -> str:
    return request.prompt or "\n".join(message.content for message in request.messages or ())
