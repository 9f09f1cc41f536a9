"""What the coordinator saves, in which order, and what it finds after a kill."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from staragents.errors import RunFailed
from staragents.records import MISALIGNED, Candidate
from staragents.run_directory import RunDirectory

T = TypeVar("T")

ROWS_PER_SHARD = 512


class Checkpoints:
    """First the shard, then the state that names it: a kill in between leaves an orphan, not a hole."""

    def __init__(self, run: RunDirectory, every_s: float) -> None:
        self._run = run
        self._every_s = every_s
        self._shards: list[str] = []
        self._rows: list[Candidate] = []
        self._orphans: dict[str, list[Candidate]] = {}
        self._saved = time.monotonic()

    def restore(self) -> dict[str, Any]:
        """The newest state, {} if there is none. Shards that it does not name yet become orphans."""
        state = self._run.state() or {}
        self._run.remove_temporary()
        if state:
            self._shards = state["shards"]
            for shard in self._run.shards()[len(self._shards) :]:
                self._take_up(self._run.read_shard(shard.name))
        return state

    def _take_up(self, rows: list[Candidate]) -> None:
        for candidate in rows:
            candidate.selected, candidate.reward, candidate.difficulty = False, None, None
            if candidate.reject_reason == MISALIGNED:
                candidate.reject_reason = None
            self._orphans.setdefault(candidate.seed_id, []).append(candidate)

    def finished(self, seed_id: str) -> list[Candidate] | None:
        """The seed's candidates from an orphan, as they were before their commit; given once."""
        return self._orphans.pop(seed_id, None)

    def add(self, candidates: Sequence[Candidate]) -> None:
        """Committed candidates, for the next shard."""
        self._rows += candidates

    @property
    def age_s(self) -> float:
        """Seconds since the last save."""
        return time.monotonic() - self._saved

    @property
    def possible(self) -> bool:
        """Not before every orphan is taken: a new shard would replace the one that still holds its rows."""
        return not self._orphans

    @property
    def due(self) -> bool:
        return len(self._rows) >= ROWS_PER_SHARD or self.age_s > self._every_s

    async def save(self, state: dict[str, Any]) -> None:
        """What was added since the last save, and `state`. Raises RunFailed as `write`."""
        rows, self._rows = self._rows, []
        name = f"part-{len(self._shards):06d}.parquet"
        if rows:
            self._shards.append(name)
        state["shards"] = list(self._shards)
        if rows:
            await self.write(self._run.write_shard, name, rows)
        await self.write(self._run.write_json, "state.json", state)
        self._saved = time.monotonic()

    async def write(self, step: Callable[..., T], *arguments: Any) -> T:
        """Off the loop. Raises RunFailed if the disk is full or gone; what was written before is whole."""
        try:
            return await asyncio.to_thread(step, *arguments)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            line = f"output.dir: can't write to {self._run.path}: {reason}"
            raise RunFailed(f"{line}; with room there, the same command goes on") from error
