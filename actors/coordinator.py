"""The main loop of a run: admit seeds, commit their candidates in seed order, save. A named async actor."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from actors.admitted import Admitted
from actors.checkpoints import Checkpoints
from actors.committed_state import CommittedState
from actors.measuring import Measuring
from actors.memory_client import MemoryClient
from actors.metrics import RunMetrics
from actors.pending_seeds import PendingSeeds
from actors.progress import Progress
from actors.seed_worker import Worker, WorkState
from staragents.base.errors import RunFailed
from staragents.base.records import Candidate, Seed
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.data.seed_scan import SeedScan
from staragents.evolution.policy import Draw, DrawContext, Outcome, context_of
from staragents.run.results import write_results
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_lock import writer_lock
from staragents.run_directory.run_state import first_state, with_config

logger = logging.getLogger(__name__)

T = TypeVar("T")

READ_AHEAD = 64


class Coordinator:
    """Undecorated: `cluster.pools.pools` makes the named actor.

    Seeds finish in any order and are committed in seed order. Committing seed c updates policy and memory;
    only then are the pairs of seed c + admitted_seeds drawn. Every decision therefore depends only on the
    config and the results, and a resumed run makes the same decisions as an uninterrupted one. Seeds that
    finish before their turn are saved too, so that a kill costs at most `run.checkpoint_s` of finished work.
    """

    def __init__(
        self,
        config: Config,
        scan: SeedScan,
        worker: Worker,
        memory: Any | None,
        facts: dict[str, Any],
        session: str,
        given: Config | None = None,
    ) -> None:
        """`session`: id of the command that holds the run directory. `given`: its config, if `config` has
        changed since."""
        self.config = config
        self._scan = scan
        self._facts = facts
        self._run = RunDirectory(config.output.dir)
        self._session = session
        self._checkpoints = Checkpoints(
            self._run, session, config.run.checkpoint_s, config.pairs, config.run.admitted_seeds
        )
        self._given = given or config
        self._first_state = first_state(config, scan, self._given)
        self._writing = asyncio.Lock()
        """Held while run_state.json, or a file made from it, is read or written."""
        self.worker = worker
        self._metrics = RunMetrics(self._run.name, config.run.metrics)
        self._committed = CommittedState(config, scan.seeds)
        self._pending = PendingSeeds()
        self._draining = False
        self._running: asyncio.Task[dict[str, Any]] | None = None
        self._memory = MemoryClient(config, memory, self._metrics, self.progress)
        self._measuring = Measuring(self._metrics, worker, self._committed, self._checkpoints, self._pending)

    @property
    def progress(self) -> Progress:
        return self._committed.progress

    async def run(self) -> dict[str, Any]:
        """Run until the seeds end, a stop rule applies or the run is drained; return the summary. A driver
        that lost the connection calls again, and awaits the same run.

        Raises RunFailed, for example when too many candidates fail, after saving all finished work.
        """
        if self._running is None:
            self._running = asyncio.ensure_future(self._run_once())
        return await asyncio.shield(self._running)

    async def _run_once(self) -> dict[str, Any]:
        holding = writer_lock(self._run.path, self._session)
        await asyncio.to_thread(holding.__enter__)
        measuring = asyncio.ensure_future(self._measuring.run())
        try:
            try:
                await self._commit_all(await self._restore())
            except Exception:
                await self._keep()
                raise
            return await self._write_results()
        finally:
            measuring.cancel()
            self._measuring.export(await self.worker.state())
            self._pending.cancel()
            await self.worker.stop()
            holding.__exit__(None, None, None)

    async def later_facts(self) -> dict[str, Any]:
        """Facts for summary.json that are known at the end only. A kill before they are saved loses them: the
        next command then writes the results without."""
        return {}

    async def change_config(self, config: Config) -> None:
        """Save the config with which the next coordinator continues, or the next command if this one is
        killed. Returns once it is on disk; raises RunFailed if it can't be written."""
        async with self._writing:
            self._first_state = with_config(self._first_state, config, self._given)
            await self._checkpoints.change(config, self._given)

    async def drain(self) -> None:
        """Start no more seeds; `run` returns when those in flight are committed and saved."""
        self._draining = True
        logger.info("draining: %d seeds in flight are finished and saved", self._pending.in_work)

    async def status(self) -> dict[str, Any]:
        """Plain values for the live progress view and the log line."""
        state = await self.worker.state()
        committed = self._committed
        status = self.progress.status(
            in_work=self._pending.in_work,
            draining=self._draining,
            counters=state.counters,
            pair_stats=committed.evolution.pair_stats(),
            ledger=committed.ledger(),
            rates=self._measuring.recent(state),
            seconds=committed.seconds,
            seconds_here=committed.seconds_here,
        )
        return {**status, "scorers": state.scorers}

    # -- the steps of the loop, in order -----------------------------------------------------------------

    async def _restore(self) -> Iterator[Seed]:
        """Restore the saved state or begin; admit the first seeds. Returns the seeds not drawn yet."""
        async with self._writing:
            state = await asyncio.to_thread(self._checkpoints.restore)
        begun, pending = "evolution" in state, state.get("pending", [])
        self._committed.restore(dict(state))
        cursor = self._committed.cursor
        await self._memory.rewind(cursor)
        feed = self._read_ahead(SeedFile(self.config.seeds).seeds_of(self._scan, start=cursor))
        # The seeds are those of the scan, so only a damaged state could name others.
        for seed, saved in zip(islice(feed, len(pending)), pending, strict=True):
            if seed.seed_id != saved["seed_id"]:
                raise RunFailed(f"seeds.path: row {seed.row} is not the seed that this run drew there")
            if self._committed.stopping.changed:
                self._committed.decide(self._next_number)
            draws = [Draw(*draw) for draw in saved["draws"]]
            context = DrawContext.read(saved)
            self._admit(Admitted(seed, draws, context), await self._checkpoints.finished(seed.seed_id))
        if not begun:
            for seed in islice(feed, self.config.run.admitted_seeds):
                await self._draw(None, (), seed)
        logger.info(
            "%s %s in %.1f s: %d of %d seeds are committed, %d more are drawn, %d of them already finished",
            "resuming" if begun else "starting", self._run.path, self._committed.seconds_here,
            cursor, self._scan.seeds, len(self._pending), self._pending.done,
        )  # fmt: skip
        return feed

    async def _commit_all(self, feed: Iterator[Seed]) -> None:
        """Commit and save seeds until no more are started."""
        while (task := self._pending.next_task) is not None:
            while not await self._checkpoints.wait(task):
                await self._save()
            candidates = await task
            await self._commit(self._pending.take(), candidates, feed)
            broken = self._committed.broken
            if broken or self._checkpoints.due:
                await self._save()
            if broken:
                raise RunFailed(broken)
        await self._save()
        if later := await self.later_facts():
            self._facts |= later
            await self._save()

    def _read_ahead(self, seeds: Iterator[Seed]) -> Iterator[Seed]:
        """The same seeds, with their embedding requested ahead of the draw."""
        while batch := list(islice(seeds, READ_AHEAD)):
            self._memory.embed(batch)
            yield from batch

    @property
    def _next_number(self) -> int:
        """Index of the seed that is admitted next."""
        return self._committed.cursor + len(self._pending)

    async def _draw(self, committed: Seed | None, outcomes: Sequence[Outcome], seed: Seed | None) -> None:
        """Store the outcomes of the seed `committed` in memory, then draw for `seed` and admit it.

        A seed finished before a kill keeps the draw that its candidates were made with.
        """
        finished = await self._checkpoints.finished(seed.seed_id) if seed is not None else None
        recalled = await self._of_memory(
            self._memory.commit_and_recall(
                self._committed.cursor, committed, outcomes, seed if finished is None else None
            )
        )
        if seed is None:
            return
        if finished is None:
            context = self._committed.evolution.context(recalled)
            draws = self._committed.evolution.draw(seed.seed_id, context)
        else:
            draws = [Draw(candidate.pair, candidate.propensity) for candidate in finished]
            context = context_of(finished)
            self._committed.keep_draw(self._next_number)
        self._committed.decide(self._next_number)
        self._admit(Admitted(seed, draws, context), finished)

    def _admit(self, admitted: Admitted, finished: list[Candidate] | None = None) -> None:
        stops = self._committed.stopping.stops(self._next_number)
        self._pending.add(admitted)
        admitted.saved = finished is not None
        if self._draining:
            return
        if finished is not None:
            admitted.task = asyncio.get_running_loop().create_future()
            admitted.task.set_result(finished)
        elif not stops:
            self._metrics.admitted()
            admitted.task = asyncio.ensure_future(
                self.worker.run(admitted.seed, admitted.draws, admitted.context)
            )
            self._checkpoints.watch(admitted.task)

    async def _commit(self, admitted: Admitted, candidates: list[Candidate], feed: Iterator[Seed]) -> None:
        committed = self._committed.commit(admitted, candidates)
        self._measuring.committed(candidates)
        self._checkpoints.add(candidates)
        if self._committed.cursor == self._committed.resumed_at + 1:
            logger.info("first seed committed after %.1f s", self._committed.seconds_here)
        await self._draw(admitted.seed, committed.outcomes, next(feed, None))

    async def _save(self) -> None:
        await self._of_memory(self._memory.flush())
        work = await self.worker.state()
        async with self._writing:
            await self._checkpoints.save(self._state(work))
        if self._checkpoints.early_due:
            await self._keep()

    async def _of_memory(self, call: Coroutine[Any, Any, T]) -> T:
        """Await a call of the memory bank. Its actor may hang, or be restarted, for minutes: meanwhile, seeds
        that finish are saved apart."""
        calling = asyncio.ensure_future(call)
        try:
            while not (await asyncio.wait({calling}, timeout=self._checkpoints.patience_s))[0]:
                await self._keep()
            return calling.result()
        finally:
            calling.cancel()

    async def _keep(self) -> None:
        """Save what is finished and in no state."""
        finished = self._pending.finished()
        if await self._checkpoints.keep([candidates for _, candidates in finished]):
            for admitted, _ in finished:
                admitted.saved = True

    async def _write_results(self) -> dict[str, Any]:
        committed = self._committed
        logger.info(
            "%d of %d seeds are committed after %.1f s",
            committed.cursor, self._scan.seeds, committed.seconds_here,
        )  # fmt: skip
        started = time.monotonic()
        async with self._writing:
            summary = await self._checkpoints.write(write_results, self._run, self.config, self._scan)
        logger.info("results written in %.1f s: %s", time.monotonic() - started, self._run.path)
        return summary

    def _state(self, work: WorkState) -> dict[str, Any]:
        facts = {
            **self._facts,
            **self._committed.facts(),
            "finished": not self._pending,
            "retries": {name: c.retries for name, c in work.counters.items()},
        }
        return {
            **self._first_state,
            **self._committed.state(),
            "pending": self._pending.state(),
            "facts": facts,
        }
