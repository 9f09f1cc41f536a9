"""The coordinator's way to every model: windows, deadlines, bounded retries, counters."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import astuple, dataclass, field, replace
from typing import Protocol

from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from actors.generator import Refusal
from actors.window import Window
from staragents.errors import EngineError, PromptTooLong
from staragents.generation import Generation, GenerationRequest
from staragents.generation_cache import GenerationCache
from staragents.records import stable_seed
from staragents.redaction import redacted


class Handle(Protocol):
    """A model pool: Serve's deployment handle, or a stand-in with the same call."""

    def remote(self, request: GenerationRequest) -> Awaitable[Generation | Refusal]: ...


# Beyond the engine's own deadline: the time a request may wait for a replica that is being replaced.
GRACE_S = 120.0


@dataclass(slots=True)
class ModelCounters:
    """What a model has done in this process of the run."""

    running: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    answers: int = 0
    retries: int = 0
    failures: int = 0

    def __add__(self, other: ModelCounters) -> ModelCounters:
        return ModelCounters(*map(sum, zip(astuple(self), astuple(other), strict=True)))


@dataclass(slots=True)
class GeneratorClient:
    """Sends requests to model pools.

    A window must hold what the pool can grow to and not what it is today: the autoscaler only sees requests
    that were sent, so a smaller window would keep the pool small for ever.
    """

    handles: dict[str, Handle]
    windows: dict[str, int]
    attempts: int
    cache: GenerationCache | None = None
    """Answers that runs of one comparison share."""
    counters: dict[str, ModelCounters] = field(init=False)
    _windows: dict[str, Window] = field(init=False)

    def __post_init__(self) -> None:
        self.counters = {model: ModelCounters() for model in self.handles}
        self._windows = {model: Window(size) for model, size in self.windows.items()}

    def resize(self, model: str, window: int) -> None:
        """After the pool of `model` may grow to another size."""
        self.windows[model] = window
        self._windows[model].resize(window)

    async def generate(self, model: str, request: GenerationRequest) -> Generation:
        """One answer. Raises EngineError when `attempts` tries did not give one.

        Every try has the same random seed and another request id, so a retry repeats the same piece of work
        and never meets its own older copy inside an engine.
        """
        if self.cache is not None and (known := self.cache.get(model, request)) is not None:
            return known
        counters = self.counters[model]
        async with self._windows[model]:
            counters.running += 1
            try:
                answer = await self._tries(model, request)
            finally:
                counters.running -= 1
        if isinstance(answer, Refusal):
            counters.failures += 1
            error = PromptTooLong if answer.error_class == PromptTooLong.__name__ else EngineError
            raise error(f"{model}: {answer.message}")
        counters.answers += 1
        counters.tokens_in += answer.tokens_in
        counters.tokens_out += answer.tokens_out
        if self.cache is not None:
            self.cache.put(model, request, answer)
        return answer

    async def _tries(self, model: str, request: GenerationRequest) -> Generation | Refusal:
        for attempt in range(self.attempts):
            if attempt:
                self.counters[model].retries += 1
                await asyncio.sleep(backoff(request.request_id, attempt))
            answer = await self._try(model, replace(request, request_id=f"{request.request_id}-{attempt}"))
            if isinstance(answer, Generation) or not answer.retryable:
                break
        return answer

    async def _try(self, model: str, request: GenerationRequest) -> Generation | Refusal:
        try:
            async with asyncio.timeout(request.deadline_s + GRACE_S):
                return await self.handles[model].remote(request)
        except TimeoutError:
            return Refusal("TimeoutError", f"no answer within {request.deadline_s + GRACE_S:g} s", True)
        except (RayError, RayServeException) as error:
            lines = redacted(str(error)).strip().splitlines() or ["no reason given"]
            return Refusal(type(error).__name__, lines[-1], True)


def backoff(request_id: str, attempt: int) -> float:
    """Seconds to wait before a try: 0.5, 1, 2 ... up to 8, each times 0.5 to 1.5 so that retries spread."""
    jitter = random.Random(stable_seed(request_id, str(attempt))).uniform(0.5, 1.5)
    return min(8.0, 0.5 * 2 ** (attempt - 1)) * jitter
