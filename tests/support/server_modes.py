"""Fake servers with OpenAI's API that each refuse something, in the words of real ones.

Every text that they write says fake.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Body = dict[str, Any]
Answer = Callable[[Body, str], web.Response | None]
"""From the body and path of a request; None for an honest answer."""

TEXT = "[fake] The Loire."
VERDICT = '{"reason": "[fake] A is shorter.", "verdict": "A"}'


@dataclass(frozen=True, slots=True)
class Mode:
    """`says` are parts of what the user reads, `lacks` and `has` fields of a request after the start."""

    answer: Answer
    says: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    has: Body = field(default_factory=dict)
    path: str = "/v1"
    """Path of base_url."""
    settings: Body = field(default_factory=dict)
    """Of the model."""
    is_seen_later: bool = True
    """Whether the run notices if the server changes to this mode."""


def honest(body: Body, **choice: Any) -> Body:
    """An honest answer to the request; `choice` replaces fields of the choice."""
    judged = "json" in json.dumps(body.get("messages", body.get("prompt", ""))).lower()
    text = VERDICT if judged else TEXT
    tokens = [
        {"token": part, "logprob": -0.1, "top_logprobs": [{"token": "B", "logprob": -2.5}]}
        for part in ('{"reason": "[fake] A is shorter.", "verdict": "', "A", '"}')
    ]
    logprobs = {"content": tokens} if body.get("logprobs") and judged else None
    filled = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
        "logprobs": logprobs,
    }
    usage = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}
    return {"id": "fake", "model": "fake", "choices": [filled | choice], "usage": usage}


def refused(message: str, status: int = 400, **fields: Any) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None} | fields
    return web.json_response({"error": error}, status=status)


def refuses(name: str, message: str, status: int = 400, **fields: Any) -> Answer:
    """Refuses requests with the field `name`, naming it as OpenAI does."""
    return lambda body, path: refused(message, status, **fields) if name in body else None


def all_of(*answers: Answer) -> Answer:
    def answer(body: Body, path: str) -> web.Response | None:
        return next((reply for one in answers if (reply := one(body, path)) is not None), None)

    return answer


def unless(holds: Callable[[Body], bool], message: str, status: int = 400, **fields: Any) -> Answer:
    return lambda body, path: None if holds(body) else refused(message, status, **fields)


def with_choice(**choice: Any) -> Answer:
    return lambda body, path: web.json_response(honest(body, **choice))


def forbids(*names: str) -> Answer:
    """As Mistral and other servers that check bodies with pydantic: one problem a field."""

    def answer(body: Body, path: str) -> web.Response | None:
        extra = [name for name in names if name in body]
        detail = [
            {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
            for name in extra
        ]
        return web.json_response({"detail": detail}, status=422) if extra else None

    return answer


def no_json_schema(body: Body, path: str) -> web.Response | None:
    kind = body.get("response_format", {}).get("type")
    return refused("This response_format type is unavailable now") if kind == "json_schema" else None


def no_lengths(body: Body, path: str) -> web.Response | None:
    if "maxLength" not in json.dumps(body.get("response_format", "")):
        return None
    message = "Invalid schema for response_format 'answer': In context=('properties', 'reason'), 'maxLength'"
    return refused(f"{message} is not permitted.", param="response_format")


def no_system(message: str, status: int = 400, **fields: Any) -> Answer:
    return unless(lambda body: body["messages"][0]["role"] != "system", message, status, **fields)


def silent(*names: str) -> Answer:
    """Refuses without a reason."""
    return lambda body, path: refused("Bad Request") if set(names) & set(body) else None


def only_at(path: str, status: int = 404, **json_body: Any) -> Answer:
    """The API is at `path` only."""

    def answer(body: Body, asked: str) -> web.Response | None:
        if asked.startswith(f"{path}/chat"):
            return None
        return web.json_response(json_body, status=status)

    return answer


def web_page(body: Body, path: str) -> web.Response | None:
    page = "<!doctype html><html><body>[fake] a chat</body></html>"
    return None if path.startswith("/v1/") else web.Response(text=page, content_type="text/html")


def streamed(body: Body, path: str) -> web.Response:
    """An answer in events, although none was asked for."""
    choice = honest(body)["choices"][0]
    text = choice["message"]["content"]
    events: list[Body] = [{"choices": [], "usage": None}]
    events += [{"choices": [{"delta": {"content": part}}]} for part in (text[:9], text[9:])]
    events += [{"choices": [{"delta": {}, "finish_reason": "stop", "logprobs": choice["logprobs"]}]}]
    events += [{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 7}}]
    lines = [": [fake] ping", *(f"data: {json.dumps(event)}" for event in events), "data: [DONE]"]
    return web.Response(text="\n\n".join(lines), content_type="text/event-stream")


def in_parts(body: Body, path: str) -> web.Response:
    answer = honest(body)
    message = answer["choices"][0]["message"]
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "[fake] hm"}]}
    message["content"] = [thought, {"type": "text", "text": message["content"]}]
    return web.json_response(answer)


def in_lists(body: Body, path: str) -> web.Response | None:
    """Log-probabilities as those of raw prompts."""
    answer = honest(body)
    choice = answer["choices"][0]
    if choice["logprobs"] is None:
        return None
    tokens = [token["token"] for token in choice["logprobs"]["content"]]
    choice["logprobs"] = {"tokens": tokens, "token_logprobs": [-0.1] * len(tokens)}
    return web.json_response(answer)


def thinking(field_name: str, switch: Callable[[Body], bool]) -> Answer:
    """Thinks unless `switch` is off, and reports that in `field_name`."""

    def answer(body: Body, path: str) -> web.Response | None:
        filled = honest(body)
        if switch(body):
            filled["choices"][0]["message"][field_name] = "[fake] I think."
            filled["usage"]["completion_tokens_details"] = {"reasoning_tokens": 5}
        return web.json_response(filled)

    return answer


def top_logprobs_at_most(most: int, message: str) -> Answer:
    return unless(lambda body: body.get("top_logprobs", 0) <= most, message)
