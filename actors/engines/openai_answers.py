"""Parse and check the answers of a server with OpenAI's API before use."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

import msgspec

from actors.engines.event_stream import is_event_stream, joined_events
from actors.engines.finish_reasons import finish_reason
from actors.engines.http_client import BadAnswer, NotTheApi, Reply
from actors.engines.message_texts import ChatMessage
from actors.engines.openai_logprobs import Note, of_answer, read_logprobs
from actors.engines.refusal_texts import PAGE_CHARACTERS, page_text
from staragents.base.generation import Generation, GenerationRequest

# Well-behaved servers stay far below: no tokenizer's average token comes near 256 bytes, escaped or not, and
# an entry of log-probabilities has a token, its number and its bytes. The rest is ids and settings.
BYTES_PER_TOKEN = 256
BYTES_AROUND = 64 * 1024
BYTES_PER_EVENT = 1024
_PAGE_SHOWN = 120
# More than any model's context holds, so a larger count must be wrong.
MOST_TOKENS = 10_000_000
# The usual estimate if the server reports no count.
BYTES_PER_COUNTED_TOKEN = 4


class ChatChoice(msgspec.Struct):
    # Gemini leaves it out if its filter stopped the answer or reasoning used all tokens.
    message: ChatMessage | None = None
    finish_reason: Any = None
    logprobs: Any = None


class ChatAnswer(msgspec.Struct):
    choices: Annotated[list[ChatChoice], msgspec.Meta(min_length=1)]


class TextChoice(msgspec.Struct):
    text: str
    finish_reason: Any = None
    logprobs: Any = None


class TextAnswer(msgspec.Struct):
    choices: Annotated[list[TextChoice], msgspec.Meta(min_length=1)]


def most_bytes(request: GenerationRequest) -> int:
    """Size limit of an answer's body, in bytes: BYTES_PER_TOKEN for each token, of the reasoning too, and
    each alternative."""
    entries = 1 + (1 + request.top_logprobs if request.top_logprobs else 0)
    return BYTES_AROUND + _most_tokens(request) * entries * BYTES_PER_TOKEN


def most_bytes_of_events(request: GenerationRequest) -> int:
    """As `most_bytes`, of an answer in events, each with ids and names of its own."""
    return most_bytes(request) + _most_tokens(request) * BYTES_PER_EVENT


def generation_of(
    content: Any, request: GenerationRequest, asked: int, seconds: float, note: Note
) -> Generation:
    """The generation in the parsed body of a successful reply, for at most `asked` new tokens. Raises
    BadAnswer ("expected X, got Y")."""
    chat = request.messages is not None
    usage = content.get("usage") if isinstance(content, dict) else None
    usage = usage if isinstance(usage, dict) else {}
    beside = _beside(usage, asked)
    tokens_in = _count(usage.get("prompt_tokens"), tokens_of(request), note)
    thought = _counted_reasoning(usage) or beside
    if thought and isinstance(content, dict) and content.get("choices", 0) == []:
        # Reasoning used all tokens.
        known = 0 if beside else thought
        tokens = max(thought, _count(usage.get("completion_tokens"), known, note) + beside)
        return Generation("", "length", tokens_in, tokens, seconds, reasoning_tokens=thought)
    if isinstance(content, dict) and content.get("choices", 0) in ([], None):
        raise NotTheApi("not an answer of the API: it has no choices")
    answer: ChatAnswer | TextAnswer
    try:
        answer = msgspec.convert(content, ChatAnswer) if chat else msgspec.convert(content, TextAnswer)
    except ValueError as error:  # includes msgspec.ValidationError
        raise NotTheApi(f"not an answer of the API: {error}") from None
    choice = answer.choices[0]
    text, reasoning = _texts(choice)
    logprobs = read_logprobs(choice.logprobs, chat, note)
    # What only the total contains may be all of it.
    expected = 0 if beside else len(logprobs) or estimate(reasoning + text)
    counted = _counted(usage.get("completion_tokens"), expected)
    tokens_out = _count(usage.get("completion_tokens"), expected, note) + beside
    # Not an estimate: that of a whole answer may be above the limit.
    counted_out = (len(logprobs) if counted is None else counted) + beside
    reason = finish_reason(choice.finish_reason, counted_out, asked, note)
    if reason == "stop" and isinstance(choice, ChatChoice) and choice.message is None:
        raise NotTheApi("not an answer of the API: its choice has no message")
    return Generation(
        text=text,
        finish_reason=reason,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        seconds=seconds,
        logprobs=of_answer(logprobs, text) if reasoning else logprobs,
        reasoning=reasoning,
        reasoning_tokens=reasoning_tokens(thought, reasoning, text, tokens_out),
    )


def parsed(reply: Reply) -> Any:
    """Parse the body as JSON or as events with JSON, whatever its Content-Type. Raises BadAnswer if
    events break off, NotTheApi if the body is neither."""
    if not reply.body.strip():
        raise NotTheApi("expected JSON, got an empty body")
    try:
        if is_event_stream(reply.body) and (events := joined_events(reply.body)) is not None:
            return events
        # Not msgspec: some servers write NaN for numbers that we don't need.
        return json.loads(reply.body)
    except BadAnswer:
        raise
    except RecursionError:
        raise NotTheApi("expected the JSON of an answer, got it nested too deeply") from None
    except ValueError as error:
        text = reply.body[:PAGE_CHARACTERS].decode("utf-8", "replace")
        if (page := page_text(text)) != text:
            raise NotTheApi(f"expected JSON, got {page[:_PAGE_SHOWN]}") from None
        start = text[:80]
        kind = reply.headers.get("content-type", "no Content-Type")
        raise NotTheApi(f"expected JSON in UTF-8, got {start!r} ({kind}): {error}") from None


def _most_tokens(request: GenerationRequest) -> int:
    return request.sampling.max_tokens + request.sampling.thinking_tokens


def _texts(choice: ChatChoice | TextChoice) -> tuple[str, str]:
    """Text and reasoning."""
    if isinstance(choice, TextChoice):
        return choice.text, ""
    return choice.message.texts() if choice.message is not None else ("", "")


def reasoning_tokens(counted: int, reasoning: str, text: str, tokens_out: int) -> int:
    """As counted by the server, at most `tokens_out`; estimated from the texts if it doesn't count them."""
    if counted:
        return min(counted, tokens_out)
    if not reasoning:
        return 0
    share = len(reasoning) / (len(reasoning) + len(text))
    return min(tokens_out, max(1, round(tokens_out * share)))


def _counted_reasoning(usage: dict[str, Any]) -> int:
    """Reasoning tokens by the server's own count; 0 if it has none."""
    details = usage.get("completion_tokens_details")
    counted = details.get("reasoning_tokens") if isinstance(details, dict) else usage.get("reasoning_tokens")
    return _whole(counted) or 0


def _beside(usage: dict[str, Any], asked: int) -> int:
    """Generated tokens that only the total contains: Gemini and xAI leave reasoning out of
    completion_tokens."""
    total, prompt, completion = (
        _whole(usage.get(name)) for name in ("total_tokens", "prompt_tokens", "completion_tokens")
    )
    if total is None or not prompt or completion is None:
        return 0
    beside = total - prompt - completion
    return beside if 0 < beside <= asked else 0


def _whole(value: Any) -> int | None:
    """A count that may be true."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= MOST_TOKENS else None


def _counted(value: Any, estimate: int) -> int | None:
    """The token count from the server; None if that is no valid count, or 0 for a text: some servers count
    nothing and say so with zeros."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    counted = _whole(value)
    return counted if counted or not estimate else None


def _count(value: Any, estimate: int, note: Note) -> int:
    """The token count from the server, or the estimate if it has none."""
    if (counted := _counted(value, estimate)) is not None:
        return counted
    note("returns no usable token counts (usage); they are estimated from the texts")
    return estimate


def tokens_of(request: GenerationRequest) -> int:
    """Estimate of the prompt's tokens."""
    return estimate(request.prompt_text)


def estimate(text: str) -> int:
    """Estimate of a text's tokens."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_COUNTED_TOKEN)
