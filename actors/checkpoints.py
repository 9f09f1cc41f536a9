"""Checkpoints of a run: shards, the state that names them, seeds that wait for their commit. Restores the
newest after a kill."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from staragents.base.errors import RunFailed
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_lock import check_session
from staragents.run_directory.run_state import RunState, Shard, naming, shard_rows
from staragents.run_directory.salvage import Salvage, set_aside
from staragents.run_directory.unwritable import unwritable

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOGGED_EVERY_S = 60.0
EARLY_EVERY_S = 1.0
"""The least time between two files of seeds that wait for their commit, also with `run.checkpoint_s=0`."""


class Checkpoints:
    """Writes a shard, then the state that names it. After a kill in between, the shard is salvaged.

    Seeds that finish before an earlier one are added to the salvage, and leave it once they are committed.
    """

    def __init__(
        self, run: RunDirectory, session: str, every_s: float, pairs: Sequence[str], admitted: int
    ) -> None:
        """`session`: id of the command that holds the run directory. `pairs`: all agent pairs of the run.
        `admitted`: the number of seeds in flight."""
        self._run = run
        self._session = session
        self._every_s = every_s
        self._every_rows = shard_rows(admitted)
        self._pairs = pairs
        self._shards: list[Shard] = []
        self._rows: list[Candidate] = []
        """Committed candidates that no state has."""
        self._kept = 0
        """How many of them are in the salvage."""
        self._finished = asyncio.Event()
        """Set when a watched seed has finished since seeds were last saved early."""
        self._saved = self._stated = self._tried_early = time.monotonic()
        self._logged = -math.inf

    def restore(self) -> RunState:
        """Return the newest state. Candidates it does not name are salvaged: see `finished`.

        Raises Damaged, and RunFailed if the directory holds no run.
        """
        state = self._run.state()
        if state is None:
            raise RunFailed(f"output.dir: {self._run.path} no longer holds a run")
        self._run.remove_temporary()
        self._shards = state["shards"]
        self._naming = naming(state)
        set_aside(self._run.path, self._run.unnamed_shards(self._shards))
        self._salvage = Salvage(self._run.path, self._pairs)
        return state

    async def finished(self, seed_id: str) -> list[Candidate] | None:
        """Take the seed's candidates out of the salvage, as they were before their commit."""
        if not self._salvage.has(seed_id):
            return None
        return await asyncio.to_thread(self._salvage.take, seed_id)

    def add(self, candidates: Sequence[Candidate]) -> None:
        """Add committed candidates to the next shard."""
        self._rows += candidates

    @property
    def age_s(self) -> float:
        """Seconds since everything was last saved."""
        return time.monotonic() - self._saved

    @property
    def due(self) -> bool:
        return len(self._rows) >= self._every_rows or self._due_in <= 0

    @property
    def interval_s(self) -> float:
        """The least time between two files of seeds that no state has yet."""
        return max(self._every_s, EARLY_EVERY_S)

    @property
    def patience_s(self) -> float:
        """Seconds that a step of the run may take before finished seeds are saved."""
        return max(self._interval_left_s, EARLY_EVERY_S)

    @property
    def _interval_left_s(self) -> float:
        return self.interval_s - (time.monotonic() - self._tried_early)

    @property
    def early_due(self) -> bool:
        """Whether seeds that wait for their commit must be saved."""
        return self._early_due_in <= 0

    @property
    def _due_in(self) -> float:
        """Seconds until a save is due by time; infinite if nothing is unsaved. `keep` does not postpone a
        state: a slow memory bank may cause one in every step, and the rows would grow without end."""
        of_rows = self._every_s - (time.monotonic() - self._stated) if self._rows else math.inf
        return min(of_rows, self._early_due_in)

    @property
    def _early_due_in(self) -> float:
        if not self._finished.is_set():
            return math.inf
        return self._interval_left_s

    def watch(self, seed: asyncio.Future[list[Candidate]]) -> None:
        """Count a seed as unsaved once it is finished, whether or not it can be committed."""
        seed.add_done_callback(lambda _: self._finished.set())

    async def wait(self, seed: asyncio.Future[list[Candidate]]) -> bool:
        """Wait until a watched seed is finished, or until a save is due. Returns whether it is finished."""
        while not seed.done():
            if self.due:
                return False
            if (due_in := self._due_in) < math.inf:
                await asyncio.wait({seed}, timeout=max(0.0, due_in))
            else:
                await self._finished.wait()
        return True

    async def save(self, state: dict[str, Any]) -> None:
        """Save `state` and the candidates added since the last save.

        Raises RunFailed as `write` does, and if another command has taken over the directory.
        """
        started = time.monotonic()
        rows = self._rows
        await self.write(check_session, self._run.path, self._session)
        if rows:
            name = f"part-{len(self._shards):06d}.parquet"
            self._shards.append(await self.write(self._run.write_shard, name, rows))
        state |= {**self._naming, "shards": list(self._shards)}
        await self.write(self._run.write_state, cast("RunState", state))
        self._rows, self._kept = [], 0
        self._saved = self._stated = time.monotonic()
        self._log(state["cursor"], self._shards[-1]["bytes"] if rows else 0, self._saved - started)
        await asyncio.to_thread(self._salvage.remove, {candidate.seed_id for candidate in rows})

    async def change(self, config: Config, given: Config) -> None:
        """Save another config with the newest state. Raises RunFailed as `save` does."""
        await self.write(check_session, self._run.path, self._session)
        await self.write(self._run.write_config, config, given)

    async def keep(self, early: Sequence[Sequence[Candidate]]) -> bool:
        """Add committed seeds that no state has, and then the seeds `early`, which wait for their commit, to
        the salvage. That needs neither the state nor the memory bank, so it is possible where a step of the
        run has failed or hangs. Returns whether they are saved; a failure is only logged."""
        seeds = [rows, *early] if (rows := self._rows[self._kept :]) else early
        self._finished.clear()
        self._tried_early = time.monotonic()
        try:
            if seeds:
                await asyncio.to_thread(check_session, self._run.path, self._session)
                await asyncio.to_thread(self._salvage.add, seeds)
        except (OSError, RunFailed) as error:
            self._finished.set()  # tried again, also if no other seed finishes
            logger.warning("finished seeds are not saved: %s", error)
            return False
        self._kept = len(self._rows)
        self._saved = time.monotonic()
        return True

    def _log(self, seeds: int, size: int, seconds: float) -> None:
        """One line a minute at INFO level; a run may save several times a second."""
        told = self._saved - self._logged >= LOGGED_EVERY_S
        if told:
            self._logged = self._saved
        logger.log(
            logging.INFO if told else logging.DEBUG,
            "checkpoint after %d seeds: %d bytes of candidates in %.2f s: %s",
            seeds, size, seconds, self._run.path,
        )  # fmt: skip

    async def write(self, step: Callable[..., T], *arguments: Any) -> T:
        """Run `step` in a thread. Raises RunFailed if the disk is full or gone; earlier writes are intact."""
        try:
            return await asyncio.to_thread(step, *arguments)
        except OSError as error:
            raise unwritable(self._run.path, error) from error
