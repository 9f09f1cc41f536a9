"""Runs the orders of a replay in several processes; each computes the nearness of a table once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from staragents.config import Config
from staragents.replay.nearness import Nearness
from staragents.replay.order import OrderResult, Plan, replay_order
from staragents.replay.recorded_table import RecordedTable

Tables = Sequence[tuple[RecordedTable, NDArray[np.float32] | None]]
# Fewer turns than this are done before a second process has started.
MIN_TURNS = 20_000


@dataclass(frozen=True, slots=True)
class Job:
    """Order `number` of a config on the `table`-th table, with or without memory."""

    table: int
    config: Config
    recalls: bool
    number: int


class Worker:
    """Replays jobs, best sorted by table: the nearness of the last table is kept, which may take 300 MB."""

    def __init__(self, tables: Tables, plan: Plan) -> None:
        self._tables = tables
        self._plan = plan
        self._nearness: tuple[int, Nearness] | None = None

    def run(self, job: Job) -> OrderResult:
        table, vectors = self._tables[job.table]
        nearness = self._nearness_of(job.table, vectors) if job.recalls and vectors is not None else None
        return replay_order(table, job.config, self._plan, nearness, job.number)

    def _nearness_of(self, table: int, vectors: NDArray[np.float32]) -> Nearness:
        if self._nearness is None or self._nearness[0] != table:
            self._nearness = None  # frees the memory of the last one first
            self._nearness = (table, Nearness(vectors))
        return self._nearness[1]


def replayed_orders(tables: Tables, jobs: Sequence[Job], plan: Plan, processes: int) -> list[OrderResult]:
    """The result of each job. Small replays stay in this process."""
    turns = sum(len(tables[job.table][0].instructions) * plan.passes for job in jobs)
    processes = min(processes, len(jobs), turns // MIN_TURNS + 1)
    if processes == 1:
        worker = Worker(tables, plan)
        return [worker.run(job) for job in jobs]
    # Not forked: the embedding model leaves threads in this process.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_start, initargs=(tables, plan)) as pool:
        return list(pool.map(_run, jobs))


_worker: Worker | None = None


def _start(tables: Tables, plan: Plan) -> None:
    global _worker
    _worker = Worker(tables, plan)


def _run(job: Job) -> OrderResult:
    assert _worker is not None
    return _worker.run(job)
