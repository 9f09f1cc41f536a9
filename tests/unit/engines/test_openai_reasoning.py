"""What a server is told about reasoning, and what becomes of the reasoning that it returns."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from actors.engines.openai_answers import most_bytes
from actors.engines.openai_engine import OpenAIEngine
from staragents.base.errors import EngineDead, EngineError
from staragents.base.generation import Sampling
from staragents.base.messages import Message
from staragents.config import Reasoning
from tests.support.peer_server import Peer, chat_body, config, request

BUDGET = Sampling(0.5, 0.9, 64, thinking_tokens=1000)


def thinks(peer: Peer, thought: str = "[fake] I think.", content: Any = "The Loire.", **usage: Any) -> None:
    body = chat_body(message={"content": content, "reasoning_content": thought})
    peer.reply = lambda _: web.json_response({**body, "usage": {**body["usage"], **usage}})


async def test_reasoning_is_apart_from_the_answer_and_counted(peer: Peer, engine: OpenAIEngine) -> None:
    thinks(peer, completion_tokens=9, completion_tokens_details={"reasoning_tokens": 6})
    answer = await engine.generate(request())
    assert (answer.text, answer.reasoning) == ("The Loire.", "[fake] I think.")
    assert (answer.tokens_out, answer.reasoning_tokens) == (9, 6)


@pytest.mark.parametrize("counted", [10**9, -3, "many", None, True, 2.5])
async def test_the_count_of_reasoning_is_not_trusted(peer: Peer, engine: OpenAIEngine, counted: Any) -> None:
    thinks(peer, completion_tokens=9, completion_tokens_details={"reasoning_tokens": counted})
    assert 0 < (await engine.generate(request())).reasoning_tokens <= 9


async def test_log_probabilities_begin_with_the_answer(peer: Peer, engine: OpenAIEngine) -> None:
    tokens = [{"token": text, "logprob": -0.1} for text in ("I ", "think ", "A", "A")]
    message = {"content": "A", "reasoning": "I think A"}
    peer.reply = lambda _: web.json_response(chat_body(message=message, logprobs={"content": tokens}))
    answer = await engine.generate(request(top_logprobs=1))
    assert [token.text for token in answer.logprobs] == ["A"]


async def test_a_budget_is_asked_for_only_where_the_model_thinks(peer: Peer, engine: OpenAIEngine) -> None:
    await engine.generate(request(sampling=BUDGET))
    thinks(peer)
    await engine.generate(request(sampling=BUDGET))
    await engine.generate(request(sampling=BUDGET))
    assert [body["max_tokens"] for body in peer.asked] == [64, 64, 1064]


@pytest.mark.parametrize("tokens", [63, 64])
async def test_an_answer_without_a_reason_to_end_is_cut_off_if_it_has_all_tokens(
    peer: Peer, engine: OpenAIEngine, tokens: int
) -> None:
    """Of those that were asked for, without the budget of a model that thinks."""
    usage = {"prompt_tokens": 7, "completion_tokens": tokens}
    peer.reply = lambda _: web.json_response({**chat_body(finish_reason=None), "usage": usage})
    answer = await engine.generate(request(sampling=BUDGET))
    assert answer.finish_reason == ("length" if tokens == 64 else "stop")


async def test_a_first_thought_that_was_cut_off_is_asked_for_again(peer: Peer, engine: OpenAIEngine) -> None:
    def reply(_: web.Request) -> web.Response:
        enough = peer.asked[-1]["max_tokens"] > 64
        message = {"content": "The Loire." if enough else None, "reasoning_content": "[fake] I think."}
        return web.json_response(chat_body(message=message, finish_reason="stop" if enough else "length"))

    peer.reply = reply
    assert (await engine.generate(request(sampling=BUDGET))).text == "The Loire."
    assert [body["max_tokens"] for body in peer.asked] == [64, 1064]


async def test_with_reasoning_on_the_budget_is_there_from_the_first_request(peer: Peer) -> None:
    engine = OpenAIEngine(config(peer.url, reasoning=Reasoning.on))
    await engine.generate(request(sampling=BUDGET))
    assert peer.asked[0]["max_tokens"] == 1064
    assert peer.asked[0]["chat_template_kwargs"] == {"enable_thinking": True, "thinking": True}


async def test_a_budget_beyond_the_context_becomes_what_there_is_room_for(
    peer: Peer, engine: OpenAIEngine
) -> None:
    def reply(_: web.Request) -> web.Response:
        asked = peer.asked[-1]["max_tokens"]
        if asked <= 200:
            return web.json_response(chat_body())
        text = f"This model's maximum context length is 1200 tokens. You requested {asked + 1000} tokens"
        message = f"{text} (1000 in the messages, {asked} in the completion)."
        return web.json_response({"error": {"message": message}}, status=400)

    peer.reply = reply
    answer = await engine.generate(request(sampling=Sampling(max_tokens=512)))
    assert answer.text == "The Loire."
    assert [body["max_tokens"] for body in peer.asked] == [512, 200]


async def test_a_thought_that_used_all_tokens_is_cut_off_and_no_failure(
    peer: Peer, engine: OpenAIEngine
) -> None:
    peer.refuses(400, "Could not finish the message because max_tokens or model output limit was reached.")
    answer = await engine.generate(request())
    assert (answer.text, answer.finish_reason, answer.reasoning_tokens) == ("", "length", 64)
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": 64,
        "completion_tokens_details": {"reasoning_tokens": 64},
    }
    peer.reply = lambda _: web.json_response({"choices": [], "usage": usage})
    answer = await engine.generate(request())
    assert (answer.text, answer.finish_reason, answer.reasoning_tokens) == ("", "length", 64)


@pytest.mark.parametrize("content", [None, "", "\n\n"])
async def test_answers_sent_as_reasoning_are_answers_if_reasoning_is_off(
    peer: Peer, content: str | None
) -> None:
    engine = OpenAIEngine(config(peer.url, reasoning=Reasoning.off))
    thinks(peer, thought="The Loire.", content=content)
    answer = await engine.generate(request())
    assert (answer.text, answer.reasoning) == ("The Loire.", "")
    assert any("returns answers as reasoning" in line for line in engine.remarks)


@pytest.mark.parametrize("takes_effort", [True, False])
async def test_a_model_that_always_thinks_is_asked_for_its_least_effort(
    peer: Peer, takes_effort: bool
) -> None:
    """As gpt-oss in vLLM, which refuses the effort none."""
    thinks(peer)
    honest = peer.reply

    def reply(asked: web.Request) -> web.Response:
        effort = peer.asked[-1].get("reasoning_effort")
        if effort == "none" or (effort and not takes_effort):
            error = {"message": "reasoning_effort='none' is not supported", "param": "reasoning_effort"}
            return web.json_response({"error": error}, status=400)
        return honest(asked)

    peer.reply = reply
    engine = OpenAIEngine(config(peer.url, reasoning=Reasoning.off))
    await engine.start()
    await engine.generate(request(sampling=BUDGET))
    assert peer.asked[-1].get("reasoning_effort") == ("low" if takes_effort else None)
    assert any("reasoning=off, but the model thinks" in line for line in engine.remarks)
    await engine.stop()


async def test_a_thought_alone_is_no_answer_of_a_model_that_thinks_although_it_is_off(peer: Peer) -> None:
    """Such as gpt-oss, which thinks in any case and sometimes ends after its thought."""
    engine = OpenAIEngine(config(peer.url, reasoning=Reasoning.off))
    thinks(peer, thought="The user wants a colour.", content="Blue.")
    assert (await engine.generate(request())).text == "Blue."
    thinks(peer, thought="The user wants a colour. Maybe blue.", content="")
    answer = await engine.generate(request())
    assert (answer.text, answer.reasoning) == ("", "The user wants a colour. Maybe blue.")
    assert not any("as reasoning" in line for line in engine.remarks)
    await engine.stop()


async def test_a_thought_alone_gets_no_advice_where_answers_are_apart(
    peer: Peer, engine: OpenAIEngine
) -> None:
    thinks(peer)
    await engine.generate(request())
    thinks(peer, content="")
    assert (await engine.generate(request())).text == ""
    assert not any("set reasoning=off" in line for line in engine.remarks)


async def test_earlier_turns_carry_no_reasoning(peer: Peer, engine: OpenAIEngine) -> None:
    """Servers that check fields refuse it."""
    turns = (Message("user", "Hi."), Message("assistant", "Hello.", "[fake] hm"), Message("user", "Bye."))
    await engine.generate(request(messages=turns))
    assert all(set(turn) == {"role", "content"} for turn in peer.asked[0]["messages"])


async def test_template_variables_and_further_fields_are_sent(peer: Peer) -> None:
    more = {"top_k": 20, "chat_template_kwargs": {"b": 2}}
    engine = OpenAIEngine(config(peer.url, chat_template_kwargs={"a": 1, "b": 1}, extra_body=more))
    await engine.generate(request())
    assert peer.asked[0]["top_k"] == 20
    assert peer.asked[0]["chat_template_kwargs"] == {"a": 1, "b": 2}


async def test_further_fields_can_not_replace_model_and_messages_in_silence(peer: Peer) -> None:
    more = {"model": "other", "messages": [], "stream": True, "temperature": 0.1, "max_completion_tokens": 9}
    engine = OpenAIEngine(config(peer.url, extra_body=more))
    await engine.start()
    sent = peer.asked[0]
    assert (sent["model"], sent["temperature"], sent["max_completion_tokens"]) == ("m", 0.1, 9)
    assert sent["messages"] == [{"role": "user", "content": "Hello"}]
    assert "stream" not in sent
    assert "max_tokens" not in sent
    remarks = " | ".join(engine.remarks)
    assert "extra_body.model is ignored: the run sets model itself" in remarks
    assert "extra_body.temperature replaces what agents and judge ask for" in remarks
    assert "extra_body.max_completion_tokens replaces max_tokens" in remarks


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"extra_body": {"top_k": 20}}, "extra_body.top_k"),
        ({"chat_template_kwargs": {"effort": 1}}, "chat_template_kwargs"),
    ],
)
async def test_a_setting_that_the_server_refuses_is_named_with_its_words(
    peer: Peer, settings: dict[str, Any], named: str
) -> None:
    field = named.removeprefix("extra_body.")
    peer.reply = lambda _: (
        web.json_response({"error": {"message": f"Unknown parameter: '{field}'."}}, status=400)
        if field in peer.asked[-1]
        else web.json_response(chat_body())
    )
    with pytest.raises(EngineDead, match=rf"Unknown parameter: '{field}'\. \({named}\)"):
        await OpenAIEngine(config(peer.url, **settings)).start()


async def test_a_raw_prompt_gets_no_template_variables(peer: Peer) -> None:
    peer.reply = lambda _: web.json_response({"choices": [{"text": "!", "finish_reason": "stop"}]})
    engine = OpenAIEngine(config(peer.url, chat=False, reasoning=Reasoning.on, extra_body={"top_k": 3}))
    await engine.generate(request(prompt="A river:", sampling=BUDGET))
    assert "chat_template_kwargs" not in json.dumps(peer.asked[0])
    assert (peer.asked[0]["max_tokens"], peer.asked[0]["top_k"]) == (64, 3)


def test_the_size_limit_leaves_room_for_reasoning() -> None:
    plain = most_bytes(request(sampling=Sampling(max_tokens=64)))
    assert most_bytes(request(sampling=BUDGET)) - plain == 1000 * 256


@pytest.mark.parametrize("content", [7, {"verdict": "A"}, [{"type": "image_url"}], [7]])
async def test_content_without_text_is_an_error(peer: Peer, engine: OpenAIEngine, content: Any) -> None:
    thinks(peer, content=content)
    with pytest.raises(EngineError, match=r"message\.content"):
        await engine.generate(request())


TAGGED = {
    "tags": "<think>\n[fake] I think.\n</think>\n\nThe Loire.",
    "a tag that the prompt opened": "[fake] I think.\n</think>\n\nThe Loire.",
    "channels": (
        "<|channel|>analysis<|message|>[fake] I think.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>The Loire."
    ),
    "sentences": "Here is my thought process: [fake] I think. Here is my response: The Loire.",
}


@pytest.mark.parametrize("text", TAGGED.values(), ids=TAGGED)
async def test_reasoning_that_a_server_leaves_in_the_content_is_apart(
    peer: Peer, engine: OpenAIEngine, text: str
) -> None:
    logprobs = {"content": [{"token": part, "logprob": -0.1} for part in (text[:-10], text[-10:])]}
    peer.reply = lambda _: web.json_response(chat_body(message={"content": text}, logprobs=logprobs))
    answer = await engine.generate(request(top_logprobs=1))
    assert (answer.text, answer.reasoning) == ("The Loire.", "[fake] I think.")
    assert 0 < answer.reasoning_tokens <= answer.tokens_out
    assert [token.text for token in answer.logprobs] == ["The Loire."]
    assert engine.found.thinks


async def test_reasoning_in_the_content_that_is_cut_off_is_asked_for_again_with_a_budget(
    peer: Peer, engine: OpenAIEngine
) -> None:
    def reply(_: web.Request) -> web.Response:
        enough = peer.asked[-1]["max_tokens"] > 64
        content = f"<think>\n[fake] I think.{' </think> The Loire.' * enough}"
        return web.json_response(
            chat_body(message={"content": content}, finish_reason="stop" if enough else "length")
        )

    peer.reply = reply
    assert (await engine.generate(request(sampling=BUDGET))).text == "The Loire."
    assert [body["max_tokens"] for body in peer.asked] == [64, 1064]


async def test_a_raw_prompt_has_no_thought(peer: Peer, engine: OpenAIEngine) -> None:
    text = TAGGED["tags"]
    peer.reply = lambda _: web.json_response({"choices": [{"text": text, "finish_reason": "stop"}]})
    raw = replace(request(), messages=None, prompt="The longest river is")
    assert (await engine.generate(raw)).text == text
