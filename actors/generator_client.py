"""Client for all model pools: in-flight limits, timeouts, bounded retries, counters."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Protocol

from grpc import RpcError
from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from actors.failure import Failure
from actors.inflight_limit import InFlightLimit
from actors.ray_internals import by_value
from actors.reasons import reason_of
from actors.replica_connection import ping_replicas
from actors.request_batches import RequestBatches
from actors.retry_log import RetryLog
from staragents.agents.generation_cache import GenerationCache
from staragents.base.errors import EngineError, PromptTooLong
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.records import stable_seed
from staragents.config import Config

logger = logging.getLogger(__name__)


class Handle(Protocol):
    """A model pool: RequestBatches, or a test double with the same call."""

    def remote(self, request: GenerationRequest) -> Awaitable[Generation | Failure]: ...


# Added to the engine's own timeout: how long a request may wait for a replica that is being replaced.
GRACE_S = 120.0


@dataclass(slots=True)
class ModelCounters:
    """Requests and tokens of one model, counted by this process."""

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

    A model's in-flight limit must match the pool's maximum size, not its current one: the autoscaler counts
    only requests that were sent, so a smaller limit would keep the pool small forever.
    """

    handles: dict[str, Handle]
    limits: dict[str, int]
    attempts: int
    cache: GenerationCache | None = None
    """Cache shared by the runs of one comparison."""
    counters: dict[str, ModelCounters] = field(init=False)
    _semaphores: dict[str, InFlightLimit] = field(init=False)
    _retry_logs: dict[str, RetryLog] = field(init=False)

    def __post_init__(self) -> None:
        self.counters = {model: ModelCounters() for model in self.handles}
        self._semaphores = {model: InFlightLimit(size) for model, size in self.limits.items()}
        self._retry_logs = {
            model: RetryLog(logger, f"models.{model}: a request failed and is retried")
            for model in self.handles
        }

    def resize(self, model: str, limit: int, replicas: int | None = None) -> None:
        """Set the in-flight limit of `model` after its pool was resized, and its `fixed_size`."""
        handle = self.handles[model]
        if isinstance(handle, RequestBatches):
            handle.replicas = replicas
        self.limits[model] = limit
        self._semaphores[model].resize(limit)

    async def generate(self, model: str, request: GenerationRequest) -> Generation:
        """Answer one request. Raises EngineError after `attempts` failed attempts, PromptTooLong.

        All attempts share a random seed, so a retry repeats the same work. Each has its own request id, so a
        retry never collides with its earlier copy inside an engine.
        """
        if self.cache is not None and (known := self.cache.get(model, request)) is not None:
            return known
        counters = self.counters[model]
        async with self._semaphores[model]:
            counters.running += 1
            try:
                answer = await self._with_retries(model, request)
            finally:
                counters.running -= 1
        if isinstance(answer, Failure):
            counters.failures += 1
            error = PromptTooLong if answer.error_class == PromptTooLong.__name__ else EngineError
            raise error(f"{model}: {answer.message}")
        counters.answers += 1
        counters.tokens_in += answer.tokens_in
        counters.tokens_out += answer.tokens_out
        if self.cache is not None:
            self.cache.put(model, request, answer)
        return answer

    async def _with_retries(self, model: str, request: GenerationRequest) -> Generation | Failure:
        answer = await self._attempt(model, request, 0)
        for attempt in range(1, self.attempts):
            if isinstance(answer, Generation) or not answer.retryable:
                break
            self.counters[model].retries += 1
            self._retry_logs[model].add(f"{answer.error_class}: {answer.message}")
            await asyncio.sleep(backoff(request.request_id, attempt))
            answer = await self._attempt(model, request, attempt)
        return answer

    async def _attempt(self, model: str, request: GenerationRequest, attempt: int) -> Generation | Failure:
        numbered = replace(request, request_id=f"{request.request_id}-{attempt}")
        try:
            async with asyncio.timeout(request.deadline_s + GRACE_S):
                return await self.handles[model].remote(numbered)
        except TimeoutError:
            return Failure("TimeoutError", f"no answer within {request.deadline_s + GRACE_S:g} s", True)
        except (RayError, RayServeException, RpcError) as error:
            return Failure(type(error).__name__, reason_of(error), True)


def backoff(request_id: str, attempt: int) -> float:
    """Seconds to wait before a retry: 0.5, 1, 2 ... up to 8, each times 0.5 to 1.5 to spread retries."""
    jitter = random.Random(stable_seed(request_id, str(attempt))).uniform(0.5, 1.5)
    return min(8.0, 0.5 * 2 ** (attempt - 1)) * jitter


def handle(app: str, replicas: int | None = None) -> RequestBatches:
    """Handle of a pool, for any actor. `replicas`: of a pool of fixed size."""
    ping_replicas()
    pool = serve.get_app_handle(app)
    one = by_value(pool.options(method_name="generate"))
    many = by_value(pool.options(method_name="generate_many", stream=True))
    return RequestBatches(one, many, replicas)


def fixed_size(low: int, high: int) -> int | None:
    """The size of a pool of `low` to `high` replicas, None if it follows the load or is paused."""
    return high if low == high and high > 0 else None


def connect(
    config: Config, apps: dict[str, str], cache: Path | None, num_clients: int = 1
) -> GeneratorClient:
    """Client for the running pools `apps`, with an optional shared cache. `num_clients` clients split the
    in-flight limits."""
    limits = {name: -(-m.max_replicas * m.max_ongoing // num_clients) for name, m in config.models.items()}
    return GeneratorClient(
        {
            name: handle(app, fixed_size(config.models[name].min_replicas, config.models[name].max_replicas))
            for name, app in apps.items()
        },
        limits,
        config.run.attempts,
        GenerationCache(cache, config.models) if cache else None,
    )
