"""One replica of a model's pool: an engine behind Ray Serve, with a limit and a watchdog."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator

from actors.as_finished import as_finished
from actors.engines.choice import make_engine
from actors.failure import Failure
from actors.request_messages import Answer, pack_answers, unpack_requests
from staragents.base.errors import EngineDead, EngineError
from staragents.base.generation import GenerationRequest
from staragents.config import ModelConfig

logger = logging.getLogger(__name__)

# How long a replica outlives its engine: long enough to return the failures, and shorter than a client waits
# before its first retry, or retries would reach the same replica.
EXIT_DELAY_S = 0.2


class Generator:
    """Undecorated: `cluster.pools.generators` makes it a Serve deployment, tests call it directly."""

    def __init__(
        self, config: ModelConfig, model_path: str, probes: tuple[GenerationRequest, ...] = ()
    ) -> None:
        """`probes`: requests of the model's roles, with which a server is tried at start."""
        self.config = config
        self.engine = make_engine(config, model_path, probes)
        self._slots = asyncio.Semaphore(config.max_ongoing)
        self._exiting = False
        self._running = 0
        self._last_answer = time.monotonic()

    async def start(self) -> None:
        """Load the engine; the replica accepts requests only afterwards. Raises EngineDead."""
        started = time.monotonic()
        await self.engine.start()
        logger.info(
            "%s engine ready in %.1f s: %s",
            self.config.kind.value, time.monotonic() - started, self.config.model,
        )  # fmt: skip

    async def remarks(self) -> list[str]:
        """What the engine found out about its server, for the user; empty for engines without a server."""
        return list(getattr(self.engine, "remarks", ()))

    async def generate(self, request: GenerationRequest) -> Answer:
        """Answer one request, or return why it failed."""
        async with self._slots:
            if self._exiting:
                # Wait until the process ends: unlike a failure, that uses up no attempt.
                await asyncio.Event().wait()
            if not self._running:
                self._last_answer = time.monotonic()
            self._running += 1
            try:
                return await self.engine.generate(request)
            except EngineDead as error:
                self._exit(error)
                return Failure("EngineDead", str(error), retryable=True)
            except EngineError as error:
                return Failure(type(error).__name__, str(error), error.retryable)
            finally:
                self._running -= 1
                self._last_answer = time.monotonic()

    async def generate_many(self, requests: bytes) -> AsyncIterator[bytes]:
        """Answer the requests that `pack_requests` made, as `generate` does. Yields what `unpack_answers`
        reads, as they are done."""
        tasks = [asyncio.ensure_future(self._answer(request)) for request in unpack_requests(requests)]
        try:
            async for done in as_finished(tasks):
                yield pack_answers((index, tasks[index].result()) for index in done)
        finally:
            for task in tasks:
                task.cancel()

    async def _answer(self, request: GenerationRequest) -> Answer:
        try:
            return await self.generate(request)
        except Exception as error:
            # An error in our own code: alone, the request would fail with it at the client, and be retried.
            logger.exception("request %s failed", request.request_id)
            return Failure(type(error).__name__, str(error), retryable=True)

    def _exit(self, error: EngineDead) -> None:
        """A dead engine in a live actor would get every retry (ray#60145)."""
        if not self._exiting:
            self._exiting = True
            logger.error("exiting: %s", error)
            asyncio.get_running_loop().call_later(EXIT_DELAY_S, os._exit, 1)

    async def check_health(self) -> None:
        """Raises EngineDead if the engine is dead or stalled, that is, has requests but has finished none for
        `silence_s`: an engine can pass health checks and generate nothing (vllm#53157, ray#61263)."""
        await self.engine.check()
        stalled_s = time.monotonic() - self._last_answer
        if self._running and stalled_s > self.config.silence_s:
            raise EngineDead(f"{self._running} requests running and none finished for {stalled_s:.0f} s")

    async def stop(self) -> None:
        """Free the engine and its child processes."""
        await self.engine.stop()
