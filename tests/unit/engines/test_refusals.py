"""What servers say when they do not answer, in the words of real ones."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.engines.http_client import BadAnswer, Reply
from actors.engines.openai_answers import generation_of
from actors.engines.refusals import Refusal, content_of
from staragents.base.generation import GenerationRequest, Sampling
from staragents.base.messages import Message
from tests.support.server_modes import honest

NO_QUOTA = [
    (
        429,
        {"message": "You exceeded your current quota, please check your plan", "code": "insufficient_quota"},
    ),
    (402, {"message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error"}),
    (402, "You have exceeded your monthly included credits for Inference Providers."),
    (400, {"message": "Your credit balance is too low to access the API.", "type": "invalid_request_error"}),
    (403, {"message": "Your account is not active, please check your billing details on our website."}),
    (429, {"message": "Billing hard limit has been reached", "code": "billing_hard_limit_reached"}),
    (
        400,
        {"code": "Arrearage", "message": "Access denied, please make sure your account is in good standing."},
    ),
    (200, {"code": 402, "message": "This request requires more credits, or fewer max_tokens."}),
    (400, {"message": "Budget has been exceeded! Current cost: 10.1, Max budget: 10.0", "code": "400"}),
    (429, {"message": "ExceededTokenBudget: Current spend for token: 7e-05; Max Budget for Token: 2e-07"}),
    (403, {"message": "Your newly created team doesn't have any credits yet."}),
    (429, {"message": "Your team has either used all available credits or reached its spending limit."}),
    (412, {"message": "Account x is suspended, possibly due to reaching the monthly spending limit."}),
    (400, {"message": "You have reached your specified API usage limits. You will regain access in May."}),
    (429, "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free requests per day"),
    (429, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}),
    (429, {"message": "Too many tokens per day, please wait before trying again."}),
    (403, {"message": "The request failed because your account has an overdue balance."}),
    (403, {"message": "Sorry, your account balance is insufficient"}),
    (403, {"reason": "NOT_ENOUGH_BALANCE", "message": "not enough balance"}),
    (429, {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}),
]
BUSY = [
    (
        429,
        {"message": "Rate limit reached for gpt-4o in organization org on requests per min (RPM): Limit 3"},
    ),
    (
        429,
        {"message": "You exceeded your current quota, please check billing details. Please retry in 37.5s."},
    ),
    (429, {"message": "Rate limit reached on tokens per minute (TPM). Please try again in 5.289s."}),
    (429, {"message": "Quota exceeded for generate_content_requests_per_minute_per_project"}),
    (
        429,
        {"message": "Limit reached on tokens per day (TPD). Please try again in 3m2s. See billing"},
    ),
    (429, {"message": "Limit: 3 / min. Please add a payment method to your account to increase your limit."}),
    (429, {"message": "Service tier capacity exceeded for this model."}),
    (429, {"message": "20 requests per minute, 1000 requests per day"}),
    (429, {"message": "Quota exceeded. Requests: 5 per 10 seconds"}),
    (429, {"message": "Quota reached for this minute"}),
    (400, {"message": "The request exceeded the reasoning token budget"}),
    (503, {"message": "The model is overloaded."}),
]
FILTERED = [
    (400, {"code": "content_filter", "message": "triggering Azure OpenAI's content management policy."}),
    (400, {"message": "Content Exists Risk", "type": "invalid_request_error"}),
    (400, {"code": "data_inspection_failed", "message": "Output data may contain inappropriate content."}),
    (
        400,
        {"code": "invalid_prompt", "message": "your prompt was flagged as potentially violating our policy"},
    ),
    (403, {"message": "Content violates usage guidelines. Failed check: SAFETY_CHECK"}),
    (403, {"message": 'Your input was flagged for "violence". No credits were charged.'}),
    (
        400,
        {"code": "SensitiveContentDetected", "message": "the input text may contain sensitive information"},
    ),
    (400, {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}),
]
TOO_LONG = [
    (400, {"message": "This model's maximum context length is 4096 tokens."}),
    (400, {"message": "prompt is too long: 205000 tokens > 200000 maximum"}),
    (400, {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"}),
    (413, {"message": "Input is too long for requested model."}),
    (400, {"message": "The input token count (9000) exceeds the maximum number of tokens allowed (8192)."}),
    (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 9000"),
]


def refusal(status: int, error: Any) -> Refusal:
    reply = Reply(status, httpx2.Headers(), json.dumps({"error": error}).encode())
    found = content_of(reply)
    assert isinstance(found, Refusal)
    return found


@pytest.mark.parametrize(("status", "error"), NO_QUOTA)
def test_an_account_without_quota_is_told_from_a_busy_server(status: int, error: Any) -> None:
    assert refusal(status, error).is_about_quota


@pytest.mark.parametrize(("status", "error"), [*BUSY, *FILTERED, *TOO_LONG])
def test_other_refusals_are_not_about_quota(status: int, error: Any) -> None:
    assert not refusal(status, error).is_about_quota


@pytest.mark.parametrize(("status", "error"), FILTERED)
def test_a_filter_of_the_prompt_is_recognised(status: int, error: Any) -> None:
    assert refusal(status, error).is_filtered


@pytest.mark.parametrize(("status", "error"), [*BUSY, *TOO_LONG, *NO_QUOTA])
def test_other_refusals_are_not_filters(status: int, error: Any) -> None:
    assert not refusal(status, error).is_filtered


@pytest.mark.parametrize(("status", "error"), TOO_LONG)
def test_a_prompt_that_is_too_long_is_recognised(status: int, error: Any) -> None:
    assert refusal(status, error).is_too_long


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 7.66s.", 7.66),
        ("Please try again in 20 ms", 0.02),
        ("please retry in 37.5s", 37.5),
        ("Please try again in 6m0s.", 360.0),
        ('"retryDelay": "37s"', 37.0),
        ("Retry after 20 seconds", 20.0),
        ("Try again later", 0.0),
    ],
)
def test_a_wait_is_read_from_the_text(text: str, seconds: float) -> None:
    assert Refusal(429, text, body=text.lower()).wait_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"error": {"message": "Provider returned error", "code": 429}}, 429, "Provider returned error"),
        (
            {"error": {"message": "Provider returned error", "code": 502, "metadata": {"raw": "overloaded"}}},
            502,
            "Provider returned error: overloaded",
        ),
        ({"error": "Unexpected endpoint or method."}, 200, "Unexpected endpoint or method."),
        ({"choices": None, "detail": "busy"}, 200, "busy"),
        ({"object": "error", "message": "no such model", "code": 404}, 404, "no such model"),
        ([{"error": {"code": 400, "message": "Bad"}}], 400, "Bad"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "Extra"}]}, 200, "seed: Extra"),
        ({"message": {"detail": [{"loc": ["seed"], "msg": "Extra"}]}, "object": "error"}, 200, "seed: Extra"),
        ({"detail": "[{'loc': ('body', 'seed'), 'msg': 'Extra'}]"}, 200, "seed: Extra"),
        ({"errors": [{"message": "unexpected field seed"}]}, 200, "unexpected field seed"),
        ({"choices": None, "base_resp": {"status_code": 1008, "status_msg": "no seed"}}, 200, "no seed"),
        ({"error": {"type": "overloaded_error", "message": "Overloaded"}}, 503, "Overloaded"),
        ({"choices": [{"message": {}, "error": {"code": 502, "message": "gone"}}]}, 502, "gone"),
        ({"choices": [{"message": {"content": "The"}}], "error": {"message": "gone"}}, 200, "gone"),
        (
            {
                "error": {
                    "message": "Failed",
                    "code": 400,
                    "metadata": {"raw": '{"error": {"message": "no"}}'},
                }
            },
            400,
            "Failed: no",
        ),
    ],
)
def test_errors_with_a_status_of_success_are_refusals(body: Any, status: int, said: str) -> None:
    found = content_of(Reply(200, httpx2.Headers(), json.dumps(body).encode()))
    assert isinstance(found, Refusal)
    assert (found.status, found.said) == (status, said)


@pytest.mark.parametrize("more", [{}, {"error": None}, {"error": {"message": None}}, {"message": "fake"}])
def test_an_answer_is_no_refusal(more: dict[str, Any]) -> None:
    answer = {**honest({}), **more}
    assert content_of(Reply(200, httpx2.Headers(), json.dumps(answer).encode())) == answer


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<html><head><title>502 Bad Gateway</title></head><body>x</body></html>", "502 Bad Gateway"),
        ("<!DOCTYPE html><html><style>p{}</style><body><p>Sign &amp; go</p></body></html>", "Sign & go"),
    ],
)
def test_of_a_web_page_its_title_or_text_is_shown(page: str, said: str) -> None:
    found = content_of(Reply(502, httpx2.Headers(), page.encode()))
    assert isinstance(found, Refusal)
    assert found.said == f"a web page: {said}"


@pytest.mark.parametrize(
    "body",
    ['{"error": [""]}', '{"error": " "}', '{"detail": ["", " "]}', '{"error": "[\'\']"}', "{}", "null", ""],
)
def test_of_an_error_without_words_nothing_more_is_shown(body: str) -> None:
    found = content_of(Reply(500, httpx2.Headers(), body.encode()))
    assert isinstance(found, Refusal)
    assert found.said == "nothing more"


NAMES = (
    "choices",
    "error",
    "message",
    "delta",
    "content",
    "text",
    "type",
    "usage",
    "logprobs",
    "detail",
    "code",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(NAMES),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(NAMES), part, max_size=4),
    max_leaves=20,
)
REQUEST = GenerationRequest("r", Sampling(), seed=0, messages=(Message("user", "Hi."),))


@given(
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.lists(JSON, max_size=4).map(lambda v: "\n".join(f"data: {json.dumps(e)}" for e in v).encode()),
    st.sampled_from([200, 204, 302, 400, 404, 429, 500]),
)
@example(b'{"error": [""]}', 500)
def test_any_body_is_a_refusal_an_answer_or_a_bad_answer(body: bytes, status: int) -> None:
    try:
        found = content_of(Reply(status, httpx2.Headers(), body))
        if not isinstance(found, Refusal):
            found = generation_of(found, REQUEST, 512, 0.0, lambda text: None)
    except BadAnswer:
        assert status < 300
        return
    if isinstance(found, Refusal):
        assert found.wait_s >= 0
        assert found.said.strip()
    else:
        assert 0 <= found.reasoning_tokens <= found.tokens_out
