"""Several processes that carry seeds through everything: the coordinator only decides."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ray.exceptions import RayActorError, RayError

from actors.generator_client import ModelCounters
from actors.seed_worker import WorkState
from staragents.config import RunConfig
from staragents.errors import RunFailed
from staragents.evolution.policy import Drawn, Neighbour
from staragents.records import Candidate, Seed

logger = logging.getLogger(__name__)

# Shorter than whoever looks at a run waits.
STATE_S = 3.0
# Until Ray has an actor again whose node is gone.
RETURN_S = 180.0
RETURN_POLL_S = 0.5
# An actor runs 1,000 calls at once by default: with as many seeds in work, whoever scales or watches the run
# would wait for one of them (verl#7587).
CONTROL = "control"
CONTROL_CALLS = 16


class SeedWorkers:
    """Which process has a seed follows from its row: a coordinator that is restarted asks the same one again,
    and is given what is finished there. What becomes of a seed does not depend on it."""

    def __init__(self, actors: Sequence[Any], settings: RunConfig) -> None:
        """`actors` are handles of SeedWorkers that Ray restarts, with a concurrency group `CONTROL`; at least
        one."""
        self._actors = list(actors)
        self._attempts = settings.attempts
        self._states = [WorkState("", {}, {}, {}) for _ in actors]
        self._gone: list[WorkState] = []
        self._told: list[tuple[str, tuple[Any, ...]]] = []

    async def run(
        self, seed: Seed, draws: Sequence[Drawn], neighbours: Sequence[Neighbour]
    ) -> list[Candidate]:
        """See Worker. A process that died is asked again when it is back, `run.attempts` times in all."""
        number = seed.row % len(self._actors)
        for attempt in range(self._attempts):
            try:
                return await self._actors[number].run.remote(seed, draws, neighbours)
            except RayActorError as error:
                reason = str(error).strip().splitlines()[0]
                logger.warning("a seed worker died with seeds in work, they are worked on again: %s", reason)
                if attempt + 1 < self._attempts:
                    await self._return_of(number)
        raise RunFailed(f"row {seed.row}: its seed worker died {self._attempts} times: {reason}")

    async def state(self) -> WorkState:
        """The sum; of a process that does not answer, what it said last."""
        await asyncio.gather(*(self._heard_of(number) for number in range(len(self._actors))))
        counters: dict[str, ModelCounters] = {}
        outstanding: dict[str, int] = {}
        for state in (*self._states, *self._gone):
            for model, counter in state.counters.items():
                counters[model] = counters.get(model, ModelCounters()) + counter
            for role, characters in state.outstanding.items():
                outstanding[role] = outstanding.get(role, 0) + characters
        return WorkState("", counters, outstanding, self._states[0].scorers)

    async def stop(self) -> None:
        """See Worker."""
        await asyncio.gather(*(_control(actor, "stop") for actor in self._actors), return_exceptions=True)

    async def tell(self, method: str, *arguments: Any) -> None:
        """Call a method of every process; one that is restarted hears it again. Raises what it raises."""
        self._told.append((method, arguments))
        calls = (_control(actor, method, *arguments) for actor in self._actors)
        for answer in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(answer, BaseException) and not isinstance(answer, RayActorError):
                raise answer

    async def _heard_of(self, number: int) -> bool:
        try:
            async with asyncio.timeout(STATE_S):
                state = await _control(self._actors[number], "state")
        except (RayError, TimeoutError) as error:
            logger.debug("a seed worker does not answer: %s", error)
            return False
        before, self._states[number] = self._states[number], state
        if before.process and before.process != state.process:
            idle = {model: replace(counter, running=0) for model, counter in before.counters.items()}
            self._gone.append(replace(before, counters=idle, outstanding={}))
            for method, arguments in self._told:
                _control(self._actors[number], method, *arguments)
        return True

    async def _return_of(self, number: int) -> None:
        """Calls fail at once while an actor restarts (ray#25457): tries would be used up within a second."""
        give_up_at = time.monotonic() + RETURN_S
        while not await self._heard_of(number) and time.monotonic() < give_up_at:
            await asyncio.sleep(RETURN_POLL_S)


def _control(actor: Any, method: str, *arguments: Any) -> Any:
    return getattr(actor, method).options(concurrency_group=CONTROL).remote(*arguments)
