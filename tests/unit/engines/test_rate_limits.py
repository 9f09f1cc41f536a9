"""The pace that a server's headers allow."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import httpx2
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from actors.engines import openai_engine
from actors.engines.openai_engine import OpenAIEngine
from actors.engines.rate_limits import RateLimits, reset_s
from staragents.base.errors import EngineError
from tests.support.peer_server import Peer, chat_body, request

NOW = 1_800_000_000.0
OPENAI = "x-ratelimit-remaining-requests"
LATER = datetime.fromtimestamp(NOW + 30, UTC)


@pytest.mark.parametrize(
    ("name", "headers", "seconds"),
    [
        (OPENAI, {"x-ratelimit-reset-requests": "17ms"}, 0.017),
        (OPENAI, {"x-ratelimit-reset-requests": "6m0s"}, 360.0),
        (OPENAI, {"x-ratelimit-reset-requests": "2m59.56s"}, 179.56),
        (OPENAI, {"x-ratelimit-reset-requests": "1h2m3s"}, 3723.0),
        (OPENAI, {"x-ratelimit-reset-requests": "12.5"}, 12.5),
        (OPENAI, {"x-ratelimit-reset-requests": str(int(NOW) + 9)}, 9.0),
        ("x-ratelimit-remaining", {"x-ratelimit-reset": str(int(NOW + 9) * 1000)}, 9.0),
        ("ratelimit-remaining", {"ratelimit-reset": "5"}, 5.0),
        (
            "anthropic-ratelimit-requests-remaining",
            {"anthropic-ratelimit-requests-reset": LATER.isoformat().replace("+00:00", "Z")},
            30.0,
        ),
        ("x-ratelimit-remaining-req-minute", {}, 60.0),
        (OPENAI, {}, None),
        (OPENAI, {"x-ratelimit-reset-requests": "soon"}, None),
        (OPENAI, {"x-ratelimit-reset-requests": "1s of"}, None),
        (OPENAI, {"x-ratelimit-reset-requests": "nan"}, None),
        (OPENAI, {"x-ratelimit-reset-requests": "9" * 400}, None),
    ],
)
def test_the_time_of_a_reset_is_read(name: str, headers: dict[str, str], seconds: float | None) -> None:
    assert reset_s(name, headers, NOW) == (None if seconds is None else pytest.approx(seconds))


@given(st.text(max_size=40))
def test_any_text_gives_a_time_that_is_not_negative_or_none(value: str) -> None:
    seconds = reset_s(OPENAI, {"x-ratelimit-reset-requests": value}, NOW)
    assert seconds is None or seconds >= 0


async def test_a_request_waits_until_the_limit_is_renewed() -> None:
    limits = RateLimits()
    ticket = await limits.turn(10, 60.0)
    limits.observe({OPENAI: "0", "x-ratelimit-reset-requests": "80ms"}, ticket)
    started = time.monotonic()
    await limits.turn(10, 60.0)
    assert time.monotonic() - started >= 0.07


async def test_requests_in_flight_are_taken_off_what_is_left() -> None:
    """The server has not seen them when it answers."""
    limits = RateLimits()
    first = await limits.turn(10, 60.0)
    await limits.turn(10, 60.0)
    limits.observe({OPENAI: "1", "x-ratelimit-reset-requests": "60s"}, first)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(limits.turn(10, 60.0), 0.05)


async def test_tokens_are_limited_too() -> None:
    limits = RateLimits()
    ticket = await limits.turn(10, 60.0)
    headers = {"x-ratelimit-remaining-tokens": "100", "x-ratelimit-reset-tokens": "60s"}
    limits.observe(headers, ticket)
    await limits.turn(60, 60.0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(limits.turn(60, 60.0), 0.05)


async def test_a_request_above_the_whole_limit_needs_a_full_window_only() -> None:
    limits = RateLimits()
    headers = {
        "x-ratelimit-remaining-tokens": "50",
        "x-ratelimit-limit-tokens": "50",
        "x-ratelimit-reset-tokens": "60s",
    }
    limits.observe(headers, await limits.turn(80, 60.0))
    await asyncio.wait_for(limits.turn(80, 60.0), 5.0)


async def test_a_long_wait_is_cut_short() -> None:
    """A daily limit must not make every request time out: the server's refusal says more."""
    limits = RateLimits()
    ticket = await limits.turn(10, 60.0)
    limits.observe({OPENAI: "0", "x-ratelimit-reset-requests": "20h"}, ticket)
    await asyncio.wait_for(limits.turn(10, 0.05), 5.0)


async def test_a_renewed_limit_holds_for_those_who_waited() -> None:
    limits = RateLimits()
    ticket = await limits.turn(1, 60.0)
    headers = {OPENAI: "0", "x-ratelimit-limit-requests": "2", "x-ratelimit-reset-requests": "100ms"}
    limits.observe(headers, ticket)
    started = time.monotonic()
    await asyncio.gather(*(limits.turn(1, 60.0) for _ in range(3)))
    assert time.monotonic() - started >= 0.18  # two in the next window, one in that after it


@pytest.mark.parametrize("left", ["", "-1", "nan", "many", "1e400"])
async def test_a_broken_header_is_ignored(left: str) -> None:
    limits = RateLimits()
    limits.observe({OPENAI: left, "x-ratelimit-reset-requests": "60s"}, await limits.turn(1, 60.0))
    await asyncio.wait_for(limits.turn(1, 60.0), 5.0)


async def test_a_run_keeps_below_a_limit_instead_of_meeting_refusals(
    peer: Peer, engine: OpenAIEngine
) -> None:
    """A fixed window of four requests in 0.2 s, as the server counts."""
    window: list[float] = []

    def reply(_: web.Request) -> web.Response:
        now = time.monotonic()
        if not window or now - window[0] >= 0.2:
            window.clear()
        window.append(now)
        if len(window) > 4:
            return web.json_response({"error": {"message": "slow down"}}, status=429)
        reset = f"{int(1000 * (window[0] + 0.2 - now)) + 1}ms"
        headers = {OPENAI: str(4 - len(window)), "x-ratelimit-limit-requests": "4"}
        return web.json_response(chat_body(), headers={**headers, "x-ratelimit-reset-requests": reset})

    peer.reply = reply
    await engine.generate(request())
    for _ in range(3):
        await asyncio.gather(*(engine.generate(request(deadline_s=30.0)) for _ in range(3)))
    assert len(peer.asked) == 10


async def test_a_limit_without_headers_fails_no_request_while_the_server_answers_others(
    peer: Peer, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One answer for every four requests."""
    monkeypatch.setattr(openai_engine, "AGAIN_S", 0.01)
    peer.reply = lambda _: (
        web.json_response(
            {"error": {"message": f"slow down {len(peer.asked)}"}},
            status=429,
            headers={"retry-after": "0.01"},
        )
        if len(peer.asked) % 4
        else web.json_response(chat_body())
    )
    with pytest.raises(EngineError, match="slow down"):
        await engine.generate(request())  # nothing has been answered yet
    peer.asked += peer.asked * 2
    answers = await asyncio.gather(*(engine.generate(request(deadline_s=60.0)) for _ in range(4)))
    assert {answer.text for answer in answers} == {"The Loire."}
    (remark,) = engine.remarks
    assert "wants fewer requests" in remark


async def test_a_limit_that_lasts_fails_requests(
    peer: Peer, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_engine, "SILENCE_S", 0.2)
    await engine.generate(request())
    peer.refuses(429, "daily limit")
    with pytest.raises(EngineError, match="daily limit"):
        await engine.generate(request(deadline_s=60.0))


async def test_a_pause_in_the_text_of_a_refusal_is_kept(peer: Peer, engine: OpenAIEngine) -> None:
    peer.refuses(429, "Rate limit reached on tokens per minute. Please try again in 30s.")
    with pytest.raises(Exception, match="pausing 30 s"):
        await engine.generate(request(deadline_s=90.0))


def test_header_names_of_a_reply_are_in_lower_case() -> None:
    assert list(httpx2.Headers({"X-RateLimit-Remaining-Requests": "1"})) == [OPENAI]
