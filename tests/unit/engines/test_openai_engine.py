"""What the engine for OpenAI-compatible servers sends, and how it reads answers."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from actors.engines.openai_answers import most_bytes
from actors.engines.openai_engine import OpenAIEngine
from staragents.base.generation import Generation, Sampling, TokenLogprobs
from tests.support.peer_server import KEY, SCHEMA, USAGE, Peer, chat_body, request


async def test_a_chat_request_carries_all_settings(peer: Peer, engine: OpenAIEngine) -> None:
    generation = await engine.generate(request(json_schema=SCHEMA, top_logprobs=20))
    assert peer.paths == ["/v1/chat/completions"]
    assert peer.authorization == [f"Bearer {KEY}"]
    assert peer.asked == [
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Name a river."},
            ],
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 64,
            "seed": 11,
            "stop": ["END"],
            "logprobs": True,
            "top_logprobs": 20,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
            },
        }
    ]
    assert generation == Generation("The Loire.", "stop", 7, 2, generation.seconds)
    assert generation.seconds > 0


async def test_a_raw_prompt_goes_to_completions(peer: Peer, engine: OpenAIEngine) -> None:
    logprobs = {
        "tokens": [" Lo", "ire"],
        "token_logprobs": [-0.5, -0.1],
        "top_logprobs": [{" Lo": -0.5, " Se": -1.0}, None],
    }
    peer.reply = lambda _: web.json_response(
        {"choices": [{"text": " Loire", "finish_reason": "length", "logprobs": logprobs}], "usage": USAGE}
    )
    generation = await engine.generate(request(prompt="A river:", json_schema=SCHEMA, top_logprobs=2))
    assert peer.paths == ["/v1/completions"]
    assert peer.asked[0]["prompt"] == "A river:"
    assert peer.asked[0]["logprobs"] == 2
    assert peer.asked[0]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (generation.text, generation.finish_reason) == (" Loire", "length")
    assert generation.logprobs == (
        TokenLogprobs(" Lo", {" Lo": -0.5, " Se": -1.0}),
        TokenLogprobs("ire", {"ire": -0.1}),
    )


async def test_chat_logprobs_have_the_chosen_token_and_its_alternatives(
    peer: Peer, engine: OpenAIEngine
) -> None:
    token = {
        "token": "A",
        "logprob": -0.2,
        "bytes": None,
        "top_logprobs": [{"token": "B", "logprob": -1.7, "bytes": None}],
    }
    peer.reply = lambda _: web.json_response(chat_body(logprobs={"content": [token]}))
    generation = await engine.generate(request(top_logprobs=1))
    assert generation.logprobs == (TokenLogprobs("A", {"A": -0.2, "B": -1.7}),)


@pytest.mark.parametrize("logprobs", [None, {"content": None}, {"content": []}])
async def test_a_server_without_logprobs_gives_none(peer: Peer, engine: OpenAIEngine, logprobs: Any) -> None:
    peer.reply = lambda _: web.json_response(chat_body(logprobs=logprobs))
    assert (await engine.generate(request(top_logprobs=5))).logprobs == ()


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 9},
    ],
)
async def test_uncounted_tokens_are_estimated_from_the_texts_and_logged_once(
    peer: Peer, engine: OpenAIEngine, caplog: pytest.LogCaptureFixture, usage: dict[str, int] | None
) -> None:
    """A budget would never end a run without token counts."""
    peer.reply = lambda _: web.json_response({**chat_body(), "usage": usage})
    for _ in range(2):
        generation = await engine.generate(request())
        assert (generation.tokens_in, generation.tokens_out) == (6, 3)  # of 24 and 10 bytes
    assert caplog.text.count("token counts (usage); they are estimated") == 1


async def test_no_token_of_an_empty_answer_is_a_count(peer: Peer, engine: OpenAIEngine) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}
    peer.reply = lambda _: web.json_response({**chat_body(message={"content": ""}), "usage": usage})
    assert (await engine.generate(request())).tokens_out == 0
    assert engine.remarks == []


async def test_tokens_that_only_the_total_contains_may_be_all(peer: Peer, engine: OpenAIEngine) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 16}
    peer.reply = lambda _: web.json_response({**chat_body(), "usage": usage})
    assert (await engine.generate(request())).tokens_out == 9
    assert engine.remarks == []


async def test_tokens_with_log_probabilities_are_counted_by_them(peer: Peer, engine: OpenAIEngine) -> None:
    tokens = [{"token": "A", "logprob": -0.2}] * 7
    peer.reply = lambda _: web.json_response({**chat_body(logprobs={"content": tokens}), "usage": {}})
    assert (await engine.generate(request(top_logprobs=1))).tokens_out == 7


async def test_unreadable_log_probabilities_are_ignored(
    peer: Peer, engine: OpenAIEngine, caplog: pytest.LogCaptureFixture
) -> None:
    peer.reply = lambda _: web.json_response(chat_body(logprobs={"content": [1]}))
    assert (await engine.generate(request(top_logprobs=5))).logprobs == ()
    assert "returns unreadable log-probabilities" in caplog.text


def test_the_size_limit_follows_from_tokens_and_alternatives() -> None:
    plain = most_bytes(request(sampling=Sampling(max_tokens=64)))
    twice = most_bytes(request(sampling=Sampling(max_tokens=128)))
    verdict = most_bytes(request(sampling=Sampling(max_tokens=64), top_logprobs=20))
    assert plain == 65_536 + 64 * 256
    assert twice - plain == 64 * 256
    assert verdict - plain == 64 * 21 * 256


async def test_the_longest_honest_answer_fits(peer: Peer, engine: OpenAIEngine) -> None:
    """Tokens of several characters beyond the basic plane, all escaped, every alternative with its bytes."""
    token = "\U0001f600" * 4
    entry = {"token": token, "logprob": -12.345678901234567, "bytes": list(token.encode())}
    tokens = [{**entry, "top_logprobs": [{**entry, "token": f"{token}{n}"} for n in range(20)]}] * 64
    message = {"content": token * 64}
    peer.reply = lambda _: web.json_response(chat_body(message=message, logprobs={"content": tokens}))
    answer = await engine.generate(request(top_logprobs=20))
    assert answer.text == token * 64
    assert len(answer.logprobs) == 64
