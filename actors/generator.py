"""One replica of a model's pool: an engine behind Ray Serve, with a limit and a watchdog."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass

from actors.engines.choice import make_engine
from staragents.config import ModelConfig
from staragents.errors import EngineDead, EngineError
from staragents.generation import Generation, GenerationRequest

logger = logging.getLogger(__name__)

# How long a replica outlives its engine: enough for the answers that say so, and less than a client waits
# before its first retry, or retries would come back to it.
DEAD_FOR_S = 0.2


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a replica has no generation for a request. A value and not an exception, so that Serve does not
    write a traceback for every row that fails."""

    error_class: str
    message: str
    retryable: bool


class Generator:
    """Undecorated: `cluster.generators` turns it into a Serve deployment, tests call it as it is."""

    def __init__(self, config: ModelConfig, model_path: str) -> None:
        self.config = config
        self.engine = make_engine(config, model_path)
        self._slots = asyncio.Semaphore(config.max_ongoing)
        self._leaving = False
        self._running = 0
        self._last_answer = time.monotonic()

    async def start(self) -> None:
        """Load the engine; the replica takes requests only after it. Raises EngineDead."""
        await self.engine.start()

    async def generate(self, request: GenerationRequest) -> Generation | Refusal:
        """Answer one request, or say why not."""
        async with self._slots:
            if self._leaving:
                # Until the process ends: one refusal is enough, and waiting costs no try.
                await asyncio.Event().wait()
            if not self._running:
                self._last_answer = time.monotonic()
            self._running += 1
            try:
                return await self.engine.generate(request)
            except EngineDead as error:
                self._leave(error)
                return Refusal("EngineDead", str(error), retryable=True)
            except EngineError as error:
                return Refusal(type(error).__name__, str(error), error.retryable)
            finally:
                self._running -= 1
                self._last_answer = time.monotonic()

    def _leave(self, error: EngineDead) -> None:
        """A dead engine in a live actor would get every retry (ray#60145)."""
        if not self._leaving:
            self._leaving = True
            logger.error("leaving: %s", error)
            asyncio.get_running_loop().call_later(DEAD_FOR_S, os._exit, 1)

    async def check_health(self) -> None:
        """Raises if the engine is dead, or has work and has finished none of it for too long: an engine that
        answers health checks may still generate nothing (vllm#53157, ray#61263)."""
        await self.engine.check()
        silent = time.monotonic() - self._last_answer
        if self._running and silent > self.config.silence_s:
            raise EngineDead(f"{self._running} requests running and none finished for {silent:.0f} s")

    async def stop(self) -> None:
        """Free the engine and its child processes."""
        await self.engine.stop()
