"""A server on loopback that answers as a test wants, and an engine that asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer as LoopbackServer

from actors.engines.openai_engine import OpenAIEngine
from staragents.base.errors import EngineError
from staragents.base.generation import GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import EngineKind, ModelConfig

KEY = "sk-this-key-must-never-be-seen"
SCHEMA = {"type": "object", "properties": {"verdict": {"enum": ["A", "B"]}}}
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}

Reply = Callable[[web.Request], Any]


def chat_body(**choice: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "The Loire."}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, **choice}],
        "usage": USAGE,
    }


class Peer:
    """Answers every request with `reply` and records the requests."""

    def __init__(self) -> None:
        self.reply: Reply = lambda _: web.json_response(chat_body())
        self.models: Any = None
        """The body of /models, if there is one."""
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.authorization: list[str | None] = []
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = LoopbackServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/v1"))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response(self.models, status=200 if self.models else 404)
        self.asked.append(await request.json())
        self.paths.append(request.path)
        self.authorization.append(request.headers.get("Authorization"))
        reply = self.reply(request)
        return await reply if asyncio.iscoroutine(reply) else reply

    def refuses(self, status: int, message: str = "no", headers: dict[str, str] | None = None) -> None:
        body = {"error": {"message": message, "type": "error", "code": None}}
        self.reply = lambda _: web.json_response(body, status=status, headers=headers)


def config(url: str, **more: Any) -> ModelConfig:
    return ModelConfig(kind=EngineKind.openai, model="m", base_url=url, api_key_env="TEST_API_KEY", **more)


def request(**more: Any) -> GenerationRequest:
    values: dict[str, Any] = {"sampling": Sampling(0.5, 0.9, 64, ("END",)), "deadline_s": 5.0, **more}
    if "prompt" not in values:
        values["messages"] = (Message("system", "Be brief."), Message("user", "Name a river."))
    return GenerationRequest("r-0", seed=11, **values)


async def failure(engine: OpenAIEngine, **more: Any) -> EngineError:
    with pytest.raises(EngineError) as caught:
        await engine.generate(request(**more))
    return caught.value
