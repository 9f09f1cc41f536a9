"""Thoughts that a server without a reasoning parser leaves in the text of its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from actors.engines.openai_engine import OpenAIEngine
from staragents.base.generation import Sampling
from staragents.config import Reasoning
from tests.support.peer_server import SCHEMA, Peer, chat_body, config, request

BUDGET = Sampling(0.5, 0.9, 64, ("END",), thinking_tokens=1000)
THOUGHT, ANSWER = "[fake] I think of END.", "The Loire."
CLOSED = f"{THOUGHT}\n</think>\n\n{ANSWER}"


def writes(peer: Peer, text: str, tokens: int, **message: Any) -> None:
    """Answers with `text`, of which one token is 64 / `tokens` characters: cut off at what is asked for."""

    def reply(_: web.Request) -> web.Response:
        asked = peer.asked[-1]["max_tokens"]
        shown = text if asked >= tokens else text[: len(text) * asked // tokens]
        ended = "stop" if asked >= tokens else "length"
        counted = {"prompt_tokens": 7, "completion_tokens": min(asked, tokens)}
        body = chat_body(message={"content": shown, **message}, finish_reason=ended)
        return web.json_response({**body, "usage": counted})

    peer.reply = reply


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{CLOSED}",
        CLOSED,
        f"[THINK]{THOUGHT}[/THINK]{ANSWER}",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}",
        f"<seed:think>{THOUGHT}</seed:think>{ANSWER}",
    ],
)
async def test_a_thought_in_the_text_is_apart_from_the_answer(
    peer: Peer, engine: OpenAIEngine, text: str
) -> None:
    writes(peer, text, 50)
    answer = await engine.generate(request(sampling=BUDGET))
    assert (answer.text, answer.reasoning, answer.finish_reason) == (ANSWER, THOUGHT, "stop")
    assert 0 < answer.reasoning_tokens < answer.tokens_out == 50


async def test_a_thought_that_comes_twice_is_one(peer: Peer, engine: OpenAIEngine) -> None:
    writes(peer, f"<think>{CLOSED}", 50, reasoning_content=THOUGHT)
    answer = await engine.generate(request())
    assert (answer.text, answer.reasoning) == (ANSWER, THOUGHT)


async def test_a_closing_tag_that_a_parser_left_is_no_answer(peer: Peer, engine: OpenAIEngine) -> None:
    writes(peer, f"</think>\n\n{ANSWER}", 50, reasoning=THOUGHT)
    answer = await engine.generate(request())
    assert (answer.text, answer.reasoning) == (ANSWER, THOUGHT)


async def test_a_cut_off_thought_is_asked_for_again_with_a_budget(peer: Peer, engine: OpenAIEngine) -> None:
    writes(peer, f"<think>\n{CLOSED}", 200)
    assert (await engine.generate(request(sampling=BUDGET))).text == ANSWER
    assert [body["max_tokens"] for body in peer.asked] == [64, 1064]


async def test_no_stop_is_sent_to_a_model_that_thinks(peer: Peer, engine: OpenAIEngine) -> None:
    """The server would stop within the thought."""
    writes(peer, f"<think>\n{CLOSED} END of it", 50)
    for _ in range(2):
        answer = await engine.generate(request(sampling=BUDGET))
        assert answer.text.strip() == ANSWER
        assert answer.finish_reason == "stop"
    assert ["stop" in body for body in peer.asked] == [True, False]


async def test_a_thought_that_begins_in_the_prompt_is_found_by_asking_for_more(
    peer: Peer, engine: OpenAIEngine
) -> None:
    """Its beginning looks like an answer that was cut off."""
    writes(peer, CLOSED, 500)
    assert (await engine.generate(request(sampling=BUDGET))).text == ANSWER
    assert [body["max_tokens"] for body in peer.asked] == [64, 1064, 1064]
    writes(peer, CLOSED, 5000)
    answer = await engine.generate(request(sampling=BUDGET))
    assert (answer.text, answer.finish_reason) == ("", "length")
    assert THOUGHT.startswith(answer.reasoning)
    assert answer.reasoning_tokens == 1064


async def test_long_answers_are_asked_for_again_twice_at_most(peer: Peer, engine: OpenAIEngine) -> None:
    writes(peer, "The Loire and others. " * 40, 5000)
    for _ in range(4):
        answer = await engine.generate(request(sampling=BUDGET))
        assert answer.tokens_out == 64
    assert [body["max_tokens"] for body in peer.asked] == [64, 1064, 64, 1064, 64, 64]


@pytest.mark.parametrize("settings", [{"reasoning": Reasoning.off}, {"chat": False}])
async def test_nothing_is_asked_again_where_nothing_may_think(peer: Peer, settings: dict[str, Any]) -> None:
    engine = OpenAIEngine(config(peer.url, **settings))
    writes(peer, "The Loire and others. " * 40, 5000)
    more = {} if settings.get("chat", True) else {"prompt": "Rivers:"}
    if more:
        peer.reply = lambda _: web.json_response({"choices": [{"text": "a", "finish_reason": "length"}]})
    await engine.generate(request(sampling=BUDGET, **more))
    assert len(peer.asked) == 1
    await engine.stop()


async def test_reasoning_on_is_seen_though_its_tag_is_part_of_the_prompt(peer: Peer) -> None:
    engine = OpenAIEngine(config(peer.url, reasoning=Reasoning.on))
    writes(peer, CLOSED, 500)
    await engine.start()
    assert engine.found.thinks
    assert not engine.remarks
    await engine.stop()


async def test_tags_within_json_are_text(peer: Peer, engine: OpenAIEngine) -> None:
    text = json.dumps({"reason": "B ends with </think> and A does not", "verdict": "A"})
    writes(peer, text, 50)
    assert (await engine.generate(request(json_schema=SCHEMA))).text == text


async def test_an_empty_answer_at_the_limit_was_a_thought(peer: Peer, engine: OpenAIEngine) -> None:
    peer.reply = lambda _: web.json_response(chat_body(message={"content": None}, finish_reason="length"))
    answer = await engine.generate(request())
    assert (answer.text, answer.finish_reason, answer.reasoning_tokens) == ("", "length", 2)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"completion_tokens": 9, "total_tokens": 16}, (9, 0)),
        ({"completion_tokens": 9, "total_tokens": 46}, (39, 30)),  # Gemini
        (
            {
                "completion_tokens": 9,
                "total_tokens": 46,
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            (39, 30),
        ),  # xAI
        ({"completion_tokens": 9, "total_tokens": 10**9}, (9, 0)),
        ({"completion_tokens": 9, "total_tokens": 3}, (9, 0)),
        ({"completion_tokens": 9, "total_tokens": "many"}, (9, 0)),
        ({"completion_tokens": 9, "total_tokens": True}, (9, 0)),
    ],
)
async def test_reasoning_that_only_the_total_contains_is_counted(
    peer: Peer, engine: OpenAIEngine, usage: dict[str, Any], tokens: tuple[int, int]
) -> None:
    peer.reply = lambda _: web.json_response({**chat_body(), "usage": {"prompt_tokens": 7, **usage}})
    answer = await engine.generate(request())
    assert (answer.tokens_out, answer.reasoning_tokens) == tokens


async def test_a_look_at_a_longer_answer_may_fail(peer: Peer, engine: OpenAIEngine) -> None:
    writes(peer, "The Loire and others. " * 40, 5000)
    honest = peer.reply
    peer.reply = lambda asked: (
        web.Response(text="<html>") if peer.asked[-1]["max_tokens"] > 64 else honest(asked)
    )
    assert (await engine.generate(request(sampling=BUDGET))).finish_reason == "length"


async def test_an_unclosed_thought_is_no_answer_if_reasoning_is_off(peer: Peer) -> None:
    engine = OpenAIEngine(config(peer.url, reasoning=Reasoning.off))
    writes(peer, f"<think>{THOUGHT}", 50)
    assert (await engine.generate(request())).text == ""
    await engine.stop()


async def test_reasoning_in_details_is_read(peer: Peer, engine: OpenAIEngine) -> None:
    details = [{"type": "reasoning.text", "text": THOUGHT}, {"type": "reasoning.summary", "summary": "!"}]
    writes(peer, ANSWER, 50, reasoning_details=details)
    answer = await engine.generate(request())
    assert (answer.text, answer.reasoning) == (ANSWER, f"{THOUGHT}!")


async def test_answers_that_come_as_reasoning_are_named_with_the_setting(
    peer: Peer, engine: OpenAIEngine
) -> None:
    peer.reply = lambda _: web.json_response(
        chat_body(message={"content": None, "reasoning_content": ANSWER})
    )
    assert (await engine.generate(request())).text == ""
    assert "set reasoning=off" in engine.remarks[0]
