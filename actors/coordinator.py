"""The loop of a run: admit seeds, commit their candidates in seed order, save. One named async actor."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from actors.checkpoints import Checkpoints
from actors.finish import write_results
from actors.metrics import RunMetrics
from actors.progress import Progress
from actors.remembering import Remembering
from actors.seed_worker import Worker, WorkState
from staragents.agents import prompt_hashes
from staragents.config import Config
from staragents.config.loading import as_dict, fingerprint
from staragents.errors import RunFailed
from staragents.evolution.evolution import Evolution
from staragents.evolution.policy import Drawn, Neighbour
from staragents.ledger import Ledger
from staragents.records import Candidate, Seed
from staragents.run_directory import RunDirectory
from staragents.seeds.seed_file import SeedFile, SeedScan
from staragents.stopping import StopRules

READ_AHEAD = 64
FAILURE_WINDOW = 100
FAILURE_MINIMUM = 20
METRICS_EVERY_S = 5.0
LAG_EVERY_S = 0.25


@dataclass(slots=True)
class Admitted:
    """A seed whose pairs are drawn. It has no task while the run drains: its draw is saved, not its work."""

    seed: Seed
    draws: list[Drawn]
    neighbours: list[Neighbour]
    task: asyncio.Future[list[Candidate]] | None = None

    def state(self) -> dict[str, Any]:
        return {
            "seed_id": self.seed.seed_id,
            "draws": [[d.pair, d.propensity] for d in self.draws],
            "neighbours": [[n.pair, n.reward, n.similarity] for n in self.neighbours],
        }


class Coordinator:
    """Undecorated: `cluster.pools` makes the named actor.

    Seeds finish in any order and are committed in theirs: committing seed c teaches policy and memory, and
    only then the pairs of seed c + admitted_seeds are drawn. So every decision depends on the config and the
    results alone, and a resumed run decides as the undisturbed one would have.
    """

    def __init__(
        self,
        config: Config,
        scan: SeedScan,
        worker: Worker,
        memory: Any | None,
        facts: dict[str, Any],
    ) -> None:
        self.config = config
        self._scan = scan
        self._facts = facts
        self._run = RunDirectory(config.output.dir)
        self._checkpoints = Checkpoints(self._run, config.run.checkpoint_s)
        self._prompts = prompt_hashes(config)
        self.worker = worker
        self._metrics = RunMetrics(self._run.name, config.run.metrics)
        self._evolution = Evolution(config, config.pairs, total_seeds=scan.seeds)
        self._ledger = Ledger(config)
        self._stopping = StopRules(config.run)
        self._window: deque[Admitted] = deque()
        self._draining = False
        self._cursor = 0
        self._failures: deque[bool] = deque(maxlen=FAILURE_WINDOW)
        self._seconds_before = 0.0
        self._started = time.monotonic()
        self.progress = Progress(total_seeds=scan.seeds)
        self._memory = Remembering(config, memory, self._metrics, self.progress)

    async def run(self) -> dict[str, Any]:
        """Run to the end of the seeds, a stop rule's end or until drained; returns the summary.

        Raises RunFailed when too many candidates fail; what was finished is saved then too.
        """
        lock = await asyncio.to_thread(self._run.lock)
        measuring = asyncio.ensure_future(self._measure())
        try:
            feed = await self._restore()
            while self._window and (task := self._window[0].task) is not None:
                candidates = await task
                admitted = self._window.popleft()
                await self._commit(admitted, candidates, feed)
                broken = self._broken()
                if self._checkpoints.possible and (broken or self._checkpoints.due):
                    await self._checkpoints.save(self._state())
                if broken:
                    raise RunFailed(broken)
            await self._checkpoints.save(self._state())
            state = await self.worker.state()
            return await self._checkpoints.write(
                write_results, self._run, self.config, self._scan, self._run_facts(state)
            )
        finally:
            measuring.cancel()
            self._export(await self.worker.state())
            for admitted in self._window:
                if admitted.task is not None:
                    admitted.task.cancel()
            await self.worker.stop()
            lock.release()

    async def drain(self) -> None:
        """Start no further seed; `run` returns when the seeds in work are committed and saved."""
        self._draining = True

    async def status(self) -> dict[str, Any]:
        """Plain values for the live panel and the log line."""
        state = await self.worker.state()
        status = self.progress.status(
            in_work=self._in_work(),
            draining=self._draining,
            counters=state.counters,
            standings=self._evolution.standings(),
            ledger={**self._ledger.as_dict(self._seconds()), "budget": self.config.run.budget},
            seconds=self._seconds(),
            seconds_here=time.monotonic() - self._started,
        )
        return {**status, "scorers": state.scorers}

    # -- the loop's parts, in the order they run ---------------------------------------------------------

    async def _restore(self) -> Iterator[Seed]:
        """Take up the saved state, or begin; fill the window. Returns the seeds not drawn yet."""
        state = await asyncio.to_thread(self._checkpoints.restore)
        if state:
            self._cursor = state["cursor"]
            self._seconds_before = state["seconds"]
            self._evolution.restore(state["evolution"])
            self.progress.restore(state["progress"])
            self._stopping.restore(state["stopping"])
            self._ledger.restore(state["ledger"])
        await self._memory.rewind(self._cursor)
        feed = self._read_ahead(SeedFile(self.config.seeds).seeds(start=self._cursor))
        for saved in state.get("pending", []):
            seed = next(feed)
            if seed.seed_id != saved["seed_id"]:
                raise RunFailed(f"seeds.path: row {seed.row} is not the seed this run had drawn there")
            if self._stopping.changed:
                self._decide()
            self._admit(
                Admitted(
                    seed, [Drawn(*d) for d in saved["draws"]], [Neighbour(*n) for n in saved["neighbours"]]
                )
            )
        if not state:
            for seed in islice(feed, self.config.run.admitted_seeds):
                neighbours = await self._memory.turn(0, None, None, seed)
                self._admit(Admitted(seed, self._evolution.draw(seed.seed_id, neighbours), neighbours))
        return feed

    def _read_ahead(self, seeds: Iterator[Seed]) -> Iterator[Seed]:
        """The same seeds, embedded some way before they are drawn."""
        while batch := list(islice(seeds, READ_AHEAD)):
            self._memory.embed(batch)
            yield from batch

    @property
    def _next_number(self) -> int:
        """The place of the seed that is admitted next."""
        return self._cursor + len(self._window)

    def _decide(self) -> None:
        """Whether the seed that is admitted next may still be started."""
        seconds = self._seconds()
        self._stopping.decide(self._next_number, seconds, self._ledger.bill(seconds))

    def _admit(self, admitted: Admitted) -> None:
        stops = self._stopping.stops(self._next_number)
        self._window.append(admitted)
        finished = self._checkpoints.finished(admitted.seed.seed_id)
        if finished is not None:
            admitted.task = asyncio.get_running_loop().create_future()
            admitted.task.set_result(finished)
        elif not self._draining and not stops:
            self._metrics.admitted()
            admitted.task = asyncio.ensure_future(
                self.worker.run(admitted.seed, admitted.draws, admitted.neighbours)
            )

    async def _commit(self, admitted: Admitted, candidates: list[Candidate], feed: Iterator[Seed]) -> None:
        chosen = self._evolution.commit(candidates)
        self.progress.commit(candidates, chosen, hit=bool(admitted.neighbours))
        self._metrics.committed(candidates)
        self._failures.extend(candidate.failed for candidate in candidates)
        self._checkpoints.add(candidates)
        self._stopping.observe(
            sum(candidate.tokens for candidate in candidates),
            (chosen.reward or 0.0) if chosen is not None else 0.0,
        )
        self._ledger.add(candidates)
        self._cursor += 1
        seed = next(feed, None)
        neighbours = await self._memory.turn(self._cursor, admitted.seed, chosen, seed)
        if seed is not None:
            self._decide()
            self._admit(Admitted(seed, self._evolution.draw(seed.seed_id, neighbours), neighbours))

    def _state(self) -> dict[str, Any]:
        return {
            "fingerprint": fingerprint(self.config),
            "seeds_sha256": self._scan.sha256,
            "prompts": self._prompts,
            "config": as_dict(self.config),
            "cursor": self._cursor,
            "pending": [admitted.state() for admitted in self._window],
            "evolution": self._evolution.state(),
            "progress": self.progress.state(),
            "stopping": self._stopping.state(),
            "ledger": self._ledger.state(),
            "seconds": self._seconds(),
        }

    def _broken(self) -> str:
        """Why the run can't go on, or nothing."""
        failed, seen = sum(self._failures), len(self._failures)
        if seen < FAILURE_MINIMUM or failed <= self.config.run.max_error_rate * seen:
            return ""
        return (
            f"{failed} of the last {seen} candidates failed (run.max_error_rate="
            f"{self.config.run.max_error_rate:g}); last error: {self.progress.last_error}"
        )

    async def _measure(self) -> None:
        """How late the loop wakes, which is this actor's limit, and now and then everything else."""
        exported = 0.0
        while self._metrics.enabled:
            asleep = time.monotonic()
            await asyncio.sleep(LAG_EVERY_S)
            now = time.monotonic()
            self._metrics.lagged(max(0.0, now - asleep - LAG_EVERY_S))
            if now - exported > METRICS_EVERY_S:
                self._export(await self.worker.state())
                exported = now

    def _export(self, state: WorkState) -> None:
        if not self._metrics.enabled:
            return
        self._metrics.requests(state.counters)
        self._metrics.state(
            {"total": self._scan.seeds, "committed": self._cursor, "in_work": self._in_work()},
            state.outstanding,
            self._evolution.standings(),
            self._checkpoints.age_s,
        )

    def _in_work(self) -> int:
        return sum(admitted.task is not None for admitted in self._window)

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def _run_facts(self, state: WorkState) -> dict[str, Any]:
        stop = self._stopping.stop
        return {
            **self._facts,
            "finished": not self._window,
            "stopped": asdict(stop) if stop is not None and self._stopping.stops(self._cursor) else None,
            "wall_seconds": self._seconds(),
            "loop_seconds": time.monotonic() - self._started,
            "ledger": self._ledger.as_dict(self._seconds()),
            "memory": self.progress.memory(),
            "retries": {name: c.retries for name, c in state.counters.items()},
        }
