"""Why an answer ended: finished, cut off, filtered, broken off, or against the schema."""

from __future__ import annotations

import json

import pytest
from aiohttp import web

from actors.engines.openai_engine import OpenAIEngine
from tests.support.peer_server import KEY, SCHEMA, Peer, chat_body, failure, request


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("length_capped", "length"),
        ("repetition", "length"),
        ("context_length_exceeded", "length"),
        ({"type": "length", "length": 64}, "length"),
        ("ERROR_TOXIC", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("tool_calls", "stop"),
        ("matched_stop", "stop"),
        ("OTHER", "stop"),
    ],
)
async def test_a_finish_reason_is_read_by_its_words(
    peer: Peer, engine: OpenAIEngine, reason: object, expected: str
) -> None:
    peer.reply = lambda _: web.json_response(chat_body(finish_reason=reason))
    assert (await engine.generate(request())).finish_reason == expected


ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (ZEROS, "stop"),
        (None, "stop"),
        ({"prompt_tokens": 7, "completion_tokens": 63}, "stop"),
        ({"prompt_tokens": 7, "completion_tokens": 64}, "length"),
        ({"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 71}, "length"),
    ],
)
async def test_without_a_finish_reason_only_the_servers_own_count_shows_a_cut(
    peer: Peer, engine: OpenAIEngine, usage: dict[str, int] | None, expected: str
) -> None:
    answer = {"content": "\u6cb3\u6d41\u5f88\u957f\u3002" * 20}
    peer.reply = lambda _: web.json_response(
        {**chat_body(message=answer, finish_reason=None), "usage": usage}
    )
    assert (await engine.generate(request())).finish_reason == expected


async def test_log_probabilities_count_the_tokens_of_an_answer_that_was_cut_off(
    peer: Peer, engine: OpenAIEngine
) -> None:
    logprobs = {"content": [{"token": "A", "logprob": -0.2}] * 64}
    body = {**chat_body(logprobs=logprobs, finish_reason=None), "usage": ZEROS}
    peer.reply = lambda _: web.json_response(body)
    assert (await engine.generate(request(top_logprobs=1))).finish_reason == "length"


@pytest.mark.parametrize(
    "reason", ["error", "abort", "network_error", "user_cancelled", "timeout", 7, ["stop"]]
)
async def test_an_answer_that_broke_off_is_asked_for_again(
    peer: Peer, engine: OpenAIEngine, reason: object
) -> None:
    peer.reply = lambda _: web.json_response(chat_body(finish_reason=reason))
    error = await failure(engine)
    assert error.retryable
    assert "expected finish_reason stop or length" in str(error)


async def test_an_unknown_finish_reason_is_said_without_the_key(peer: Peer, engine: OpenAIEngine) -> None:
    peer.reply = lambda _: web.json_response(chat_body(finish_reason=KEY))
    await engine.generate(request())
    assert engine.remarks == [
        "gives an unknown finish_reason, read as finished, or at the token limit as cut off: '***'"
    ]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"finish_reason": "content_filter: PROHIBITED_CONTENT"}, "content_filter"),
        ({"finish_reason": "length", "message": None}, "length"),
    ],
)
async def test_an_answer_may_lack_its_message(
    peer: Peer, engine: OpenAIEngine, choice: dict[str, object], expected: str
) -> None:
    peer.reply = lambda _: web.json_response({"choices": [choice]})
    answer = await engine.generate(request())
    assert (answer.text, answer.finish_reason) == ("", expected)


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [], "prompt_filter_results": [{"content_filter_results": {"hate": {"filtered": True}}}]},
        {"choices": [], "promptFeedback": {"blockReason": "SAFETY"}},
    ],
)
async def test_no_choices_because_of_a_filter(peer: Peer, engine: OpenAIEngine, body: object) -> None:
    peer.reply = lambda _: web.json_response(body)
    assert (await engine.generate(request())).finish_reason == "content_filter"


async def test_events_that_break_off_are_no_answer(peer: Peer, engine: OpenAIEngine) -> None:
    event = json.dumps({"choices": [{"delta": {"content": "The"}}]})
    peer.reply = lambda _: web.Response(text=f"data: {event}\n\n", content_type="text/event-stream")
    error = await failure(engine)
    assert error.retryable
    assert "break off" in str(error)
    whole = f"data: {event}\n\ndata: [DONE]\n\n"
    peer.reply = lambda _: web.Response(text=whole, content_type="text/event-stream")
    assert (await engine.generate(request())).text == "The"


async def test_an_answer_that_breaks_the_schema_is_read_and_the_schema_kept(
    peer: Peer, engine: OpenAIEngine
) -> None:
    """A server that checks answers itself refuses this one only."""
    error = {"message": "Generated JSON is invalid.", "code": "json_validate_failed"}
    body = {"error": {**error, "failed_generation": '{"reason": "[fake]"}'}}
    peer.reply = lambda _: web.json_response(body, status=400)
    for _ in range(2):
        answer = await engine.generate(request(json_schema=SCHEMA))
        assert (answer.text, answer.finish_reason) == ('{"reason": "[fake]"}', "stop")
    assert engine.remarks == []
    assert peer.asked[-1]["response_format"]["type"] == "json_schema"
