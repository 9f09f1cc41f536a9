"""A run's use of its memory bank, seed by seed: store outcomes, recall others, survive what fails."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

from ray.exceptions import ActorDiedError, RayError, RayTaskError

from actors.memory import Item
from actors.metrics import RunMetrics
from actors.progress import Progress
from actors.reasons import own_cause, reason_of
from actors.restarts import restart_polls
from staragents.base.errors import RunFailed, StarAgentsError
from staragents.base.records import Seed
from staragents.config import Config, Keep
from staragents.evolution.policy import Outcome, RecalledOutcomes
from staragents.memory.memory import Taught
from staragents.memory.recorded import recorded
from staragents.run_directory.run_directory import RunDirectory

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Added to the bank's own timeout, for embedding and, after a restart, loading the embedder.
GRACE_S = 120.0
# An actor whose call is late answers this in milliseconds, unless its process stands still.
STATS_TIMEOUT_S = 30.0
BATCH = 64
"""Commits sent together while nothing is recalled."""
UNSENT_LIMIT = 4096
"""Commits kept while the actor fails; a resume finds those beyond in the shards."""
REFILL = 256


class MemoryClient:
    """Calls the MemoryActor: once for every seed whose draw may use memory, else once for `BATCH` commits.

    Every call is idempotent, so a restarted actor costs time but changes no draw. Commits stay here until a
    call has stored them; those that a kill takes are in the run's shards, from which `rewind` restores them.

    A bank on a server never ends the run: its actor stores outcomes until the server is back, and draws have
    no neighbours while the actor itself or its embedder fails; these failures are counted. If the server is
    unavailable when the run is resumed, what it lacks is added once it answers. Whatever fails of
    a local bank ends the run, because its later draws would differ. While its actor works, the run waits.
    """

    def __init__(self, config: Config, actor: Any | None, metrics: RunMetrics, progress: Progress) -> None:
        """`actor`: handle of the MemoryActor, None without memory."""
        self._config = config
        self._settings = config.memory
        # A policy learns how far to trust outcomes; an early bank of winners reflects what was tried first.
        warms_up = config.memory.keep is Keep.winners and not config.memory.reuse
        self._warmup_seeds = config.memory.warmup * len(config.pairs) if warms_up else 0
        self._actor = actor
        self._metrics = metrics
        self._progress = progress
        self._unsent: list[Taught] = []
        self._unchecked = 0
        """Of the seeds before this one, the bank may lack some."""
        # What was said by this process: the user of a resumed run has not seen it.
        self._waited = self._said_unavailable = False

    async def rewind(self, cursor: int) -> None:
        """Restore the bank to the commit before seed `cursor`: remove later seeds, and add from the run's
        shards what it lacks. Raises RunFailed if a local bank fails, RayError or TimeoutError for one on a
        server."""
        if (actor := self._actor) is None:
            return
        self._unchecked = cursor
        await self._refill(actor, await self._answer(lambda: actor.rewind.remote(cursor - 1)))

    def embed(self, seeds: Sequence[Seed]) -> None:
        """Start embedding seeds that are drawn soon. Lost embeddings are computed again when needed."""
        if self._actor is not None:
            self._actor.embed.remote([(seed.seed_id, seed.instruction) for seed in seeds])

    async def commit_and_recall(
        self, cursor: int, seed: Seed | None, outcomes: Sequence[Outcome], next_seed: Seed | None
    ) -> RecalledOutcomes:
        """Store the outcomes of `seed`, committed just before `cursor`, then recall outcomes on instructions
        similar to that of `next_seed`. Raises RunFailed if a local bank fails."""
        actor = self._actor
        if actor is None:
            return RecalledOutcomes()
        if seed is not None:
            taught = Taught.by(self._settings, cursor - 1, seed.seed_id, seed.instruction, outcomes)
            self._progress.remembered += bool(taught.pairs)
            self._unsent.append(taught)
            del self._unsent[:-UNSENT_LIMIT]
        wanted = None
        holds_any = self._progress.remembered > 0 or bool(self._settings.reuse)
        if next_seed is not None and holds_any and cursor >= self._warmup_seeds:
            wanted = (next_seed.seed_id, next_seed.instruction)
        if wanted is None and len(self._unsent) < BATCH:
            return RecalledOutcomes()
        return await self._call(actor, wanted)

    async def flush(self) -> None:
        """Send what is waiting, so that the bank has all that a checkpoint names. Raises RunFailed if a local
        bank fails."""
        if self._actor is not None and self._unsent:
            await self._call(self._actor, None)

    async def _call(self, actor: Any, wanted: Item | None) -> RecalledOutcomes:
        started, outcome = time.monotonic(), "failed"
        try:
            if self._unchecked:
                await self._refill(actor, await self._answer(lambda: actor.known.remote()))
            found = await self._send(actor, self._unsent, wanted)
            self._unsent = []
            outcome = "stored" if wanted is None else "hit" if found else "miss"
            return found
        except StarAgentsError:
            raise
        except Exception as error:
            self._progress.memory_failures += 1
            if not self._said_unavailable:
                logger.warning("memory bank unavailable, drawing without it: %s", reason_of(error))
                self._said_unavailable = True
            return RecalledOutcomes()
        finally:
            self._metrics.memory_called(time.monotonic() - started, outcome)

    async def _refill(self, actor: Any, known: int | None) -> None:
        """Add the unchecked seeds from number `known`, unless a server is unavailable (`known` is None, or it
        fails meanwhile): the next call continues."""
        if known is None:
            return
        if known < self._unchecked:
            lacking = self._unchecked - known
            logger.warning("the memory bank lacks %d seeds; adding them from candidates/", lacking)
            run = RunDirectory(self._config.output.dir)
            missing = islice(recorded(run, self._settings, self._config.reward.cost, known), lacking)
            while some := await asyncio.to_thread(lambda: list(islice(missing, REFILL))):
                await self._send(actor, some, None)
                if not await self._has_room(actor):
                    return
        self._unchecked = 0

    async def _has_room(self, actor: Any) -> bool:
        """Wait until a server has stored most of what was sent; False if it is unavailable."""
        while (facts := await self._answer(lambda: actor.stats.remote()))["queued"] > REFILL:
            if not facts["available"]:
                return False
            await self._send(actor, (), None)
        return True

    async def _send(self, actor: Any, commits: Sequence[Taught], wanted: Item | None) -> RecalledOutcomes:
        return await self._answer(lambda: actor.commit_and_recall.remote(commits, wanted))

    async def _answer(self, call: Callable[[], Awaitable[T]]) -> T:
        """The answer, after a restart of the actor if necessary. Raises RunFailed if a local bank fails."""
        try:
            return await self._retried(call)
        except StarAgentsError:
            raise
        except Exception as error:
            if self._settings.url:
                raise
            raise RunFailed(
                f"the memory bank failed: {reason_of(error)}; run the same command to resume"
            ) from error

    async def _retried(self, call: Callable[[], Awaitable[T]]) -> T:
        async for _ in restart_polls():
            try:
                return await self._in_time(call)
            except RayTaskError as error:
                raise own_cause(error) or error from None
            except ActorDiedError:
                raise  # Ray does not restart it
            except RayError as error:
                lost = error
        raise lost

    async def _in_time(self, call: Callable[[], Awaitable[T]]) -> T:
        """The answer. Raises TimeoutError if it is late, for a local bank only if its actor is silent
        altogether: a slow embedder is no failure, and a resume would wait for it again."""
        seconds = GRACE_S + self._settings.timeout_s
        answering = asyncio.ensure_future(call())
        try:
            while not (await asyncio.wait({answering}, timeout=seconds))[0]:
                if self._settings.url or not await self._works():
                    raise TimeoutError(f"no answer within {seconds:g} s")
                if not self._waited:
                    logger.warning(
                        "the memory bank has not answered for %.0f s, but its actor works: waiting", seconds
                    )
                    self._waited = True
            return answering.result()
        finally:
            answering.cancel()

    async def _works(self) -> bool:
        """False if the actor is silent. If it dies, the call that is late fails too."""
        assert self._actor is not None
        with suppress(RayError):
            try:
                async with asyncio.timeout(STATS_TIMEOUT_S):
                    await self._actor.stats.remote()
            except TimeoutError:
                return False
        return True
