"""The scorer actors of one model: packs of rows to whoever has least to do."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError, RayError

from actors.scorer import pack_rows, unpack_scores
from staragents.config import ScoringConfig
from staragents.errors import EngineError
from staragents.messages import Conversation
from staragents.scoring.ifd import Score

logger = logging.getLogger(__name__)

# Two packs at an actor: one in work, one waiting, so that it never idles for a round trip.
PACKS_PER_ACTOR = 2
# Rows wait so long for others: a pack costs the coordinator some milliseconds, whatever is in it. Shorter
# than it takes to score one, so that no actor that has two runs dry.
PATIENCE_S = 0.05
RESTART_POLL_S = 1.0


@dataclass(slots=True)
class _Row:
    messages: Conversation
    characters: int
    answer: asyncio.Future[tuple[Score, float]]
    tries: int = 0


def pack_characters(scoring: ScoringConfig) -> int:
    """What a pack may hold: some four characters a token, and every answer is scored with its prompt and
    without."""
    return 2 * scoring.batch_tokens


class ScorerPool:
    """Rows wait here until an actor has room, so packs grow by themselves when scoring falls behind."""

    def __init__(self, actors: list[Any], pack_characters: int, attempts: int, deadline_s: float) -> None:
        self._load = dict.fromkeys(actors, 0)
        self._packs = dict.fromkeys(actors, 0)
        self._away: set[Any] = set()
        self._gone: set[Any] = set()
        self._leaving: set[Any] = set()
        self._pack_characters = pack_characters
        self._attempts = attempts
        self._deadline_s = deadline_s
        self._waiting: deque[_Row] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: asyncio.TimerHandle | None = None

    def add(self, actor: Any) -> None:
        """Send it rows from now on."""
        if actor not in self._packs:
            self._load[actor] = self._packs[actor] = 0
        self._leaving.discard(actor)
        self._send_soon()

    async def remove(self, actor: Any) -> None:
        """Send it no more rows and wait for those it has. Without actors rows wait until one is added."""
        self._leaving.add(actor)
        while self._packs.get(actor):
            await asyncio.sleep(PATIENCE_S)
        if actor in self._leaving:
            self._leaving.discard(actor)
            self._packs.pop(actor, None)
            self._load.pop(actor, None)

    @property
    def size(self) -> int:
        return len(self._packs) - len(self._leaving & self._packs.keys())

    @property
    def outstanding(self) -> int:
        """Characters that wait here or are at an actor."""
        return sum(self._load.values()) + sum(row.characters for row in self._waiting)

    async def score(self, messages: Conversation) -> tuple[Score, float]:
        """The score of the last turn and its share of the scorer's seconds. Raises EngineError."""
        characters = sum(len(message.content) for message in messages)
        row = _Row(messages, characters, asyncio.get_running_loop().create_future())
        self._waiting.append(row)
        self._send_soon()
        return await row.answer

    def _send_soon(self) -> None:
        if self._waiting and not self._sending:
            self._sending = asyncio.get_running_loop().call_later(PATIENCE_S, self._send)

    def _send(self) -> None:
        self._sending = None
        while self._waiting and len(self._gone) == len(self._packs):
            _give_up(self._waiting.popleft(), "every scorer is gone for good")
        while self._waiting:
            free = [
                actor
                for actor, packs in self._packs.items()
                if packs < PACKS_PER_ACTOR and actor not in self._away | self._leaving
            ]
            if not free:
                return
            actor = min(free, key=self._load.__getitem__)
            pack = self._next_pack()
            self._packs[actor] += 1
            task = asyncio.ensure_future(self._score_pack(actor, pack))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next_pack(self) -> list[_Row]:
        pack = [self._waiting.popleft()]
        if pack[0].tries:
            return pack  # alone, so that a row that kills scorers does not take others with it
        room = self._pack_characters - pack[0].characters
        while self._waiting and self._waiting[0].characters <= room and not self._waiting[0].tries:
            pack.append(self._waiting.popleft())
            room -= pack[-1].characters
        return pack

    async def _score_pack(self, actor: Any, pack: list[_Row]) -> None:
        work = sum(row.characters for row in pack)
        self._load[actor] += work
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._deadline_s):
                scores = unpack_scores(await actor.score.remote(pack_rows([row.messages for row in pack])))
            seconds = (time.monotonic() - started) / len(pack)
            for row, score in zip(pack, scores, strict=True):
                row.answer.set_result((score, seconds))
        except (RayError, TimeoutError) as error:
            self._retry(pack, error)
            if isinstance(error, RayActorError):
                await self._return_of(actor)
        except Exception as error:
            for row in pack:
                if not row.answer.done():
                    row.answer.set_exception(error)
        finally:
            self._load[actor] -= work
            self._packs[actor] -= 1
            self._send_soon()

    def _retry(self, pack: list[_Row], error: Exception) -> None:
        """Queue the rows again, first in line. A row that was there too often when a scorer died is given up,
        or it would kill the next one as well."""
        logger.warning("a scorer failed with %d rows, they are scored again: %s", len(pack), _reason(error))
        for row in reversed(pack):
            row.tries += 1
            if row.tries >= self._attempts:
                _give_up(row, f"scoring failed {row.tries} times: {_reason(error)}")
            else:
                self._waiting.appendleft(row)
        self._send_soon()

    async def _return_of(self, actor: Any) -> None:
        """Ray restarts a dead actor. Until it has loaded its model it gets no rows: calls may fail at once
        (ray#25457), and rows would use up their tries on an actor that is not there."""
        self._away.add(actor)
        try:
            async with asyncio.timeout(self._deadline_s):
                while not await self._started(actor):
                    await asyncio.sleep(RESTART_POLL_S)
        except ActorDiedError:
            self._gone.add(actor)
            return
        except (RayError, TimeoutError) as error:
            logger.warning("a scorer did not come back: %s", _reason(error))
        self._away.discard(actor)

    async def _started(self, actor: Any) -> bool:
        try:
            await actor.start.remote()
            return True
        except ActorUnavailableError:
            return False


def _give_up(row: _Row, reason: str) -> None:
    # Whoever waited for it may have been cancelled.
    if not row.answer.done():
        row.answer.set_exception(EngineError(reason))


def _reason(error: Exception) -> str:
    """One line: Ray's own texts hold whole tracebacks."""
    lines = str(getattr(error, "cause", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
