"""The scorer actors of one model: each pack of rows goes to the least loaded actor."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError, RayError

from actors.reasons import reason_of
from actors.restarts import restart
from actors.retry_log import RetryLog
from actors.scorer import pack_rows, unpack_scores
from staragents.base.errors import EngineError
from staragents.base.messages import Conversation
from staragents.config import ScoringConfig
from staragents.scoring.ifd import Score

logger = logging.getLogger(__name__)

# Two packs per actor: one running, one queued, so that it never idles during a round trip.
PACKS_PER_ACTOR = 2
# How long rows wait for others to fill a pack: each pack costs the coordinator a few milliseconds, whatever
# its size. Shorter than scoring one, so that an actor with two packs never runs dry.
PACK_DELAY_S = 0.05
RESTART_POLL_S = 1.0
# How many deadlines a restarted actor may take to load its model before it counts as hanging.
LOADING_DEADLINES = 4


@dataclass(slots=True)
class _Row:
    messages: Conversation
    characters: int
    answer: asyncio.Future[tuple[Score, float]]
    attempts: int = 0
    failed_on: Any = None
    """The actor of its last failed attempt."""


@dataclass(slots=True)
class _Loading:
    """An actor that has not answered since it died or was killed. It may still load its model."""

    since: float
    allowed_s: float


def pack_characters(scoring: ScoringConfig) -> int:
    """Most characters in a pack: about four per token, halved because every answer is scored twice, with and
    without its prompt."""
    return 2 * scoring.batch_tokens


class ScorerPool:
    """Rows are queued until an actor has room, so packs grow when scoring falls behind. Rows that failed come
    first, but others do not wait for them."""

    def __init__(self, actors: list[Any], pack_characters: int, attempts: int, deadline_s: float) -> None:
        self._load = dict.fromkeys(actors, 0)
        self._packs = dict.fromkeys(actors, 0)
        self._restarting: set[Any] = set()
        self._loading: dict[Any, _Loading] = {}
        self._dead: set[Any] = set()
        self._draining: set[Any] = set()
        self._pack_characters = pack_characters
        self._attempts = attempts
        self._deadline_s = deadline_s
        self._waiting: deque[_Row] = deque()
        self._failed: deque[_Row] = deque()
        """Rows to try again, each alone. They may wait for another actor than the free one."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: asyncio.TimerHandle | None = None
        self._retry_log = RetryLog(logger, "a scorer failed and its rows are retried")

    def add(self, actor: Any) -> None:
        """Start sending rows to `actor`."""
        if actor not in self._packs:
            self._load[actor] = self._packs[actor] = 0
        self._draining.discard(actor)
        self._send_soon()

    async def remove(self, actor: Any) -> None:
        """Stop sending rows to `actor` and wait for those it has. Without actors, rows stay queued."""
        self._draining.add(actor)
        while self._packs.get(actor):
            await asyncio.sleep(PACK_DELAY_S)
        if actor in self._draining:
            self._draining.discard(actor)
            self._packs.pop(actor, None)
            self._load.pop(actor, None)

    @property
    def size(self) -> int:
        return len(self._packs) - len(self._draining & self._packs.keys())

    @property
    def outstanding(self) -> int:
        """Characters queued or at an actor. May be read in another thread."""
        queued = (*self._failed, *self._waiting)
        return sum(self._load.values()) + sum(row.characters for row in queued)

    def score(self, messages: Conversation) -> asyncio.Future[tuple[Score, float]]:
        """The score of the last turn and its share of the scorer's seconds; or EngineError."""
        characters = sum(len(text) for message in messages for text in message.texts)
        row = _Row(messages, characters, asyncio.get_running_loop().create_future())
        self._waiting.append(row)
        self._send_soon()
        return row.answer

    def _send_soon(self) -> None:
        if (self._failed or self._waiting) and not self._sending:
            self._sending = asyncio.get_running_loop().call_later(PACK_DELAY_S, self._send)

    def _send(self) -> None:
        self._sending = None
        # Not without any actor: the pool is then paused.
        all_dead = self._packs and self._packs.keys() <= self._dead
        for rows in (self._failed, self._waiting):
            while rows and all_dead:
                _fail(rows.popleft(), "all scorers died and can't be restarted")
            while rows and (actor := self._free_actor(rows[0])) is not None:
                pack = self._next_pack(rows)
                self._packs[actor] += 1
                # Here, as the task starts only after the next pack has found its actor.
                self._load[actor] += _characters(pack)
                task = asyncio.ensure_future(self._score_pack(actor, pack))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _free_actor(self, row: _Row) -> Any | None:
        """The least loaded actor with room; not the one on which the row failed last, if there is another."""
        usable = [actor for actor in self._packs if actor not in self._restarting | self._draining]
        others = [actor for actor in usable if actor != row.failed_on] or usable
        free = [actor for actor in others if self._packs[actor] < PACKS_PER_ACTOR]
        return min(free, key=self._load.__getitem__, default=None)

    def _next_pack(self, rows: deque[_Row]) -> list[_Row]:
        pack = [rows.popleft()]
        if rows is self._failed:
            return pack  # alone, so that a row that kills scorers does not fail others
        room = self._pack_characters - pack[0].characters
        while rows and rows[0].characters <= room:
            pack.append(rows.popleft())
            room -= pack[-1].characters
        return pack

    async def _score_pack(self, actor: Any, pack: list[_Row]) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._deadline_s):
                scores = unpack_scores(await actor.score.remote(pack_rows([row.messages for row in pack])))
            self._loading.pop(actor, None)
            seconds = (time.monotonic() - started) / len(pack)
            for row, score in zip(pack, scores, strict=True):
                # The waiting task may have been cancelled.
                if not row.answer.done():
                    row.answer.set_result((score, seconds))
        except RayError as error:
            self._retry(actor, pack, reason_of(error))
            if isinstance(error, RayActorError):
                await self._await_restart(actor)
        except TimeoutError:
            # Once for all its packs. Left alone, it would be the least loaded actor and get the next rows.
            hangs = self._hangs(actor)
            what = "restarted" if hangs else "starting"
            self._retry(actor, pack, f"no answer within {self._deadline_s:g} s; the scorer is {what}")
            if hangs:
                restart(actor)
            await self._await_restart(actor)
        except Exception as error:
            for row in pack:
                if not row.answer.done():
                    row.answer.set_exception(error)
        finally:
            self._load[actor] -= _characters(pack)
            self._packs[actor] -= 1
            self._send_soon()

    def _hangs(self, actor: Any) -> bool:
        """Whether an actor that missed a deadline must be restarted. One that is loading would begin anew, so
        it gets twice the time after each restart."""
        loading = self._loading.get(actor)
        if loading is None:
            return True
        now = time.monotonic()
        if now - loading.since < loading.allowed_s:
            return False
        loading.since, loading.allowed_s = now, 2 * loading.allowed_s
        return True

    def _retry(self, actor: Any, pack: list[_Row], reason: str) -> None:
        """Queue the rows again, before the others. A row that has used up its attempts fails, or it would
        kill one scorer after the other."""
        self._retry_log.add(f"{len(pack)} rows: {reason}")
        for row in reversed(pack):
            row.attempts += 1
            row.failed_on = actor
            if row.attempts >= self._attempts:
                _fail(row, f"scoring failed {row.attempts} times: {reason}")
            else:
                self._failed.appendleft(row)
        self._send_soon()

    async def _await_restart(self, actor: Any) -> None:
        """Wait until Ray has restarted the actor and it has loaded its model. Until then it gets no rows:
        calls can fail immediately (ray#25457), which would use up the rows' attempts."""
        self._restarting.add(actor)
        allowed_s = LOADING_DEADLINES * self._deadline_s
        self._loading.setdefault(actor, _Loading(time.monotonic(), allowed_s))
        try:
            async with asyncio.timeout(self._deadline_s):
                while not await self._started(actor):
                    await asyncio.sleep(RESTART_POLL_S)
            self._loading.pop(actor, None)
        except ActorDiedError:
            self._dead.add(actor)
            return
        except (RayError, TimeoutError) as error:
            logger.warning("a scorer did not restart: %s", reason_of(error))
        self._restarting.discard(actor)

    async def _started(self, actor: Any) -> bool:
        try:
            await actor.start.remote()
            return True
        except ActorUnavailableError:
            return False


def _characters(pack: list[_Row]) -> int:
    return sum(row.characters for row in pack)


def _fail(row: _Row, reason: str) -> None:
    # The waiting task may have been cancelled.
    if not row.answer.done():
        row.answer.set_exception(EngineError(reason))
