"""Sends seeds to one worker process: those drawn at nearly the same time in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from actors.seed_messages import DrawnSeed, pack_work, unpack_finished
from staragents.base.errors import RunFailed
from staragents.base.records import Candidate, Seed
from staragents.evolution.policy import Draw, DrawContext

# A call to an actor costs the coordinator 1 ms of CPU time whatever its size, and seeds are drawn one by one:
# a hundred a second are ten in a call. A seed itself takes seconds.
BATCH_DELAY_S = 0.1


@dataclass(slots=True)
class _Sent:
    work: DrawnSeed
    candidates: asyncio.Future[list[Candidate]]


class SeedBatches:
    """The calls to one worker. Its seeds come back as they finish."""

    def __init__(self, actor: Any) -> None:
        """`actor`: handle of a SeedWorker."""
        self._actor = actor
        self._waiting: list[_Sent] = []
        self._calls: set[asyncio.Task[None]] = set()

    def run(self, seed: Seed, draws: Sequence[Draw], context: DrawContext) -> asyncio.Future[list[Candidate]]:
        """The seed's candidates. Raises, for all unfinished seeds of a call, what the call raises."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_later(BATCH_DELAY_S, self._send)
        sent = _Sent((seed, draws, context), loop.create_future())
        self._waiting.append(sent)
        return sent.candidates

    def _send(self) -> None:
        batch, self._waiting = [sent for sent in self._waiting if not sent.candidates.done()], []
        if batch:
            call = asyncio.ensure_future(self._call(batch))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _call(self, batch: list[_Sent]) -> None:
        packed = pack_work(sent.work for sent in batch)
        try:
            async for finished in self._actor.run_many.options(num_returns="streaming").remote(packed):
                for index, candidates in unpack_finished(await finished):
                    if not batch[index].candidates.done():  # its seed may have been cancelled
                        batch[index].candidates.set_result(candidates)
            if not all(sent.candidates.done() for sent in batch):
                raise RunFailed("a seed worker ended its call without the candidates of all its seeds")
        except Exception as error:
            for sent in batch:
                if not sent.candidates.done():
                    sent.candidates.set_exception(error)
