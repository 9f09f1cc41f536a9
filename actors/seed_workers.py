"""Several worker processes that run the pipeline of seeds; the coordinator only decides."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ray.exceptions import RayActorError, RayError, RayTaskError

from actors.control import Control
from actors.generator_client import ModelCounters
from actors.reasons import reason_of
from actors.restarts import restart, restart_polls
from actors.retry_log import RetryLog
from actors.seed_batches import SeedBatches
from actors.seed_worker import WorkState
from actors.silence import Silence
from staragents.base.errors import RunFailed
from staragents.base.records import Candidate, Seed
from staragents.config import RunConfig
from staragents.evolution.policy import Draw, DrawContext

logger = logging.getLogger(__name__)

# Shorter than the timeouts of `status` and of the progress view.
STATE_TIMEOUT_S = 3.0
# After this time without an answer a worker is restarted. Control calls have their own thread (ray 2.60), so
# a busy worker answers them in milliseconds.
HANGS_AFTER_S = 60.0
# An actor runs 1,000 concurrent calls by default: with that many seeds in flight, `scale` and `status` would
# wait for one of them to finish (verl#7587).
CONTROL = "control"
CONTROL_CALLS = 16


class SeedWorkers:
    """A seed's row decides which process runs it, so a restarted coordinator asks the same process again and
    gets results finished there. The result of a seed does not depend on the process."""

    def __init__(self, actors: Sequence[Any], settings: RunConfig) -> None:
        """`actors`: at least one handle of a SeedWorker that Ray restarts, with a concurrency group
        `CONTROL`."""
        self._actors = list(actors)
        self._batches = [SeedBatches(actor) for actor in actors]
        self._attempts = settings.attempts
        self._states = [WorkState("", {}, {}, {}) for _ in actors]
        self._ended: list[WorkState] = []
        self._silences = [Silence(HANGS_AFTER_S) for _ in actors]
        self._retry_log = RetryLog(logger, "a seed worker failed and its seeds in flight are retried")
        self._told: list[Control] = []

    async def run(self, seed: Seed, draws: Sequence[Draw], context: DrawContext) -> list[Candidate]:
        """See Worker. If the process dies or its results are lost with its node, retry once it answers, up to
        `run.attempts` attempts."""
        index = seed.row % len(self._actors)
        for attempt in range(self._attempts):
            try:
                return await self._batches[index].run(seed, draws, context)
            except RayTaskError:
                raise  # an error of our own code
            except RayError as error:
                reason = reason_of(error)
                self._retry_log.add(reason)
                if attempt + 1 < self._attempts:
                    await self._await_restart(index)
        raise RunFailed(f"row {seed.row}: its seed worker failed {self._attempts} times: {reason}")

    async def state(self) -> WorkState:
        """The sum over processes; for one that does not answer, its last known state."""
        await asyncio.gather(*(self._refresh(index) for index in range(len(self._actors))))
        counters: dict[str, ModelCounters] = {}
        outstanding: dict[str, int] = {}
        for state in (*self._states, *self._ended):
            for model, counter in state.counters.items():
                counters[model] = counters.get(model, ModelCounters()) + counter
            for role, characters in state.outstanding.items():
                outstanding[role] = outstanding.get(role, 0) + characters
        return WorkState("", counters, outstanding, self._states[0].scorers)

    async def stop(self) -> None:
        """See Worker. Not waiting for a process that hangs: all are killed when the run ends."""
        calls = [_control(actor.stop) for actor in self._actors]
        with suppress(TimeoutError):
            async with asyncio.timeout(STATE_TIMEOUT_S):
                await asyncio.gather(*calls, return_exceptions=True)

    async def tell(self, message: Control) -> None:
        """Send a message to every process, again after a restart. Returns when all have carried it out."""
        self._told.append(message)
        calls = (_control(actor.tell, message) for actor in self._actors)
        for answer in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(answer, BaseException) and not isinstance(answer, RayActorError):
                raise answer

    async def _refresh(self, index: int) -> bool:
        try:
            async with asyncio.timeout(STATE_TIMEOUT_S):
                state = await _control(self._actors[index].state)
        except RayError as error:
            logger.debug("a seed worker does not answer: %s", reason_of(error))
            self._silences[index].died()
            return False
        except TimeoutError:
            if self._silences[index].unanswered():
                logger.warning(
                    "seed worker %d has not answered for %.0f s and is restarted", index, HANGS_AFTER_S
                )
                restart(self._actors[index])
            return False
        self._silences[index].answered()
        before, self._states[index] = self._states[index], state
        if before.process and before.process != state.process:
            idle = {model: replace(counter, running=0) for model, counter in before.counters.items()}
            self._ended.append(replace(before, counters=idle, outstanding={}))
            for message in self._told:
                _control(self._actors[index].tell, message)
        return True

    async def _await_restart(self, index: int) -> None:
        async for _ in restart_polls():
            if await self._refresh(index):
                return


def _control(method: Any, *arguments: Any) -> Any:
    return method.options(concurrency_group=CONTROL).remote(*arguments)
