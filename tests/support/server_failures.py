"""Fake servers that do not answer, or not always, in the words of real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count

from aiohttp import web

from tests.support.server_modes import Answer, Body, Mode, honest, refused, with_choice

NO_QUOTA = "You exceeded your current quota, please check your plan and billing details."
FILTERED = (
    "The prompt triggered Azure OpenAI's content management policy. Please modify your prompt and retry."
)
PAGE = "<!doctype html><html><head><title>[fake] Maintenance</title></head></html>"


def _every(number: int, answer: Answer, first: int = 0) -> Answer:
    """Uses `answer` for every `number`th request that asks for a text, from the `first` on."""
    asked = count()

    def answers(body: Body, path: str) -> web.Response | None:
        if "json" in json.dumps(body["messages"]).lower():
            return None
        turn = next(asked)
        return answer(body, path) if turn >= first and turn % number == 0 else None

    return answers


def _always(reply: Callable[[], web.Response]) -> Answer:
    return lambda body, path: reply()


def _page() -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


def _broken(body: Body, path: str) -> web.Response:
    error = {"code": 502, "message": "[fake] the server behind the gateway is gone"}
    answer = honest(body, error=error, finish_reason="error")
    return web.json_response(answer)


AT_ALL_TIMES = {
    "has no quota left (OpenAI)": lambda: Mode(
        _always(lambda: refused(NO_QUOTA, 429, code="insufficient_quota"))
    ),
    "has no credit left (Anthropic)": lambda: Mode(
        _always(lambda: refused("Your credit balance is too low to access the API."))
    ),
    "has no credit left (xAI)": lambda: Mode(
        _always(lambda: refused("Your team doesn't have any credits yet.", 403))
    ),
    "has no quota left after the start": lambda: Mode(
        _every(1, _always(lambda: refused(NO_QUOTA, 429, code="insufficient_quota")), first=9)
    ),
    "refuses the key": lambda: Mode(_always(lambda: refused("Incorrect API key provided.", 401))),
    "does not serve the model": lambda: Mode(_always(lambda: refused("The model `m` does not exist.", 404))),
    "has web pages only": lambda: Mode(_always(_page)),
    "answers without choices": lambda: Mode(
        lambda body, path: web.json_response({**honest(body), "choices": []})
    ),
}
AT_TIMES = {
    "filters every second prompt (Azure)": lambda: Mode(
        _every(2, _always(lambda: refused(FILTERED, code="content_filter")))
    ),
    "filters every second answer (Gemini)": lambda: Mode(_every(2, with_choice(finish_reason="SAFETY"))),
    "has a web page instead of every third answer": lambda: Mode(_every(3, _always(_page), first=3)),
    "has an error within every third answer (OpenRouter)": lambda: Mode(_every(3, _broken, first=3)),
    "is busy at every second request": lambda: Mode(
        _every(2, _always(lambda: refused("Rate limit reached. Please try again in 20ms.", 429)))
    ),
}
"""A run finishes all the same."""
FAILURES = {**AT_ALL_TIMES, **AT_TIMES}
"""Each makes its mode anew, as some count requests."""
