"""An OpenAI-compatible server on loopback that answers honestly or with one of tests/support/oddities.py."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from actors.engines.fake_engine import FakeEngine
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import EngineKind, ModelConfig
from tests.support.oddities import ODDITIES, Connection, http

HONEST = ""


@dataclass(frozen=True, slots=True)
class Received:
    """One received request and its answer: the name of an oddity, or HONEST."""

    authorization: str | None
    body: dict[str, Any]
    oddity: str


class HostileServer:
    """`choose` selects every answer. Honest answers and verdicts come from a fake engine."""

    def __init__(self, choose: Callable[[], str] = lambda: HONEST) -> None:
        self.choose = choose
        self.received: list[Received] = []
        self.met: defaultdict[int, list[str]] = defaultdict(list)
        """Answers to the tries of each request, by its random seed."""
        self._engine = FakeEngine(ModelConfig(kind=EngineKind.fake))
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}/v1"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        # Clients disconnect early, and oddities break off.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                await self._answer(reader, writer)
        writer.close()
        self._connections.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))) or b"{}")
        oddity = self.choose()
        self.received.append(Received(headers.get("authorization"), body, oddity))
        self.met[body.get("seed", 0)].append(oddity)
        answer = chat_answer(await self._engine.generate(_request(body)))
        if oddity == HONEST:
            writer.write(http(json.dumps(answer)))
            await writer.drain()
            return
        await ODDITIES[oddity].reply(Connection(writer, answer))
        writer.close()


def _request(body: dict[str, Any]) -> GenerationRequest:
    form = body.get("response_format")
    return GenerationRequest(
        "hostile",
        Sampling(max_tokens=body.get("max_tokens", 16)),
        seed=body.get("seed", 0),
        messages=tuple(Message(**message) for message in body.get("messages", ())),
        json_schema=form["json_schema"]["schema"] if form else None,
        top_logprobs=body.get("top_logprobs", 0),
    )


def chat_answer(generation: Generation) -> dict[str, Any]:
    """The body of an honest chat completions answer."""
    tokens = [
        {
            "token": token.text,
            "logprob": token.top[token.text],
            "top_logprobs": [{"token": text, "logprob": value} for text, value in token.top.items()],
        }
        for token in generation.logprobs
    ]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": generation.text},
        "finish_reason": generation.finish_reason,
        "logprobs": {"content": tokens} if tokens else None,
    }
    usage = {"prompt_tokens": generation.tokens_in, "completion_tokens": generation.tokens_out}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }
