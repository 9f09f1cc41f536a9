"""The scorer pools of a score command: several actors per model, several windows of rows in flight."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import Any

import ray

from actors.clean_up import quietly
from actors.scorer_pool import ScorerPool, pack_characters
from actors.starting import started
from cluster.pools.scorers import start_scorer
from cluster.session.demand import demand_of
from cluster.session.ray_session import ray_session
from cluster.terminal.stop_signals import restore_sigterm
from staragents.base.errors import BadInput, RunFailed
from staragents.config import Config, ScoringConfig
from staragents.score_file.loading import bad_model
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.ifd import Score, ScoreRow

# A window takes a few seconds. Enough windows that no actor idles while finished rows are written, few enough
# to bound memory and the work lost by a kill.
WINDOWS_IN_FLIGHT = 4
# A GPU needs several forward passes per pack to sort sequences by length; on a CPU one already takes seconds.
CPU_PASSES, GPU_PASSES = 1, 8
ATTEMPTS = 3
# Of one pack, which may have to wait for another one and, after a restart, for the model to load.
DEADLINE_S = 1800.0


class RayScorers:
    """Same interface as LocalScorers, on scorer pools."""

    def __init__(self, pools: Mapping[str, ScorerPool], facts: Mapping[str, dict[str, Any]]) -> None:
        """`facts`: what `start` returned for a scorer of each role."""
        self._pools = pools
        self.parameters = {role: int(fact["parameters"]) for role, fact in facts.items()}
        self.same_tokenizer = len({fact["tokenizer"] for fact in facts.values()}) == 1

    def score(self, windows: Iterable[list[ScoreRow]]) -> Iterator[dict[str, list[Score]]]:
        """Scores by role for each window, in order. Reads WINDOWS_IN_FLIGHT windows ahead.

        Raises EngineError if a row could not be scored in ATTEMPTS attempts.
        """
        flight: deque[Future[dict[str, list[Score]]]] = deque()
        with _loop_in_a_thread() as loop:
            for window in windows:
                flight.append(asyncio.run_coroutine_threadsafe(self._window(window), loop))
                if len(flight) == WINDOWS_IN_FLIGHT:
                    yield flight.popleft().result()
            while flight:
                yield flight.popleft().result()

    async def _window(self, rows: list[ScoreRow]) -> dict[str, list[Score]]:
        scores = await asyncio.gather(*(self._scored(pool, rows) for pool in self._pools.values()))
        return dict(zip(self._pools, scores, strict=True))

    async def _scored(self, pool: ScorerPool, rows: list[ScoreRow]) -> list[Score]:
        return [score for score, _ in await asyncio.gather(*(pool.score(row.messages) for row in rows))]


@contextmanager
def _loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop beside the calling thread, where Ctrl-C arrives: in a coroutine it would break the loop.
    Tasks that are left at the end are cancelled."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield loop
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


@contextmanager
def ray_scorers(paths: Mapping[str, str], settings: ScoreSettings) -> Iterator[RayScorers]:
    """Loaded scorers on the cluster at RAY_ADDRESS or on a local Ray; removed on exit.

    Raises BadInput if the cluster is too small or a model can't be loaded, RunFailed if an actor dies.
    """
    scoring = settings.scoring
    with ray_session(demand_of(Config(scoring=scoring))):
        restore_sigterm()
        name = f"score-{uuid.uuid4().hex[:12]}"
        actors: dict[str, list[Any]] = {role: [] for role in paths}
        try:
            for role in paths:
                for index in range(getattr(scoring, role).replicas):
                    actors[role].append(start_scorer(scoring, role, f"{name}-{role}-{index}"))
            starting = {role: [actor.start.remote() for actor in some] for role, some in actors.items()}
            facts = {role: _facts(role, some) for role, some in starting.items()}
            pools = {role: _pool(scoring, role, some) for role, some in actors.items()}
            yield RayScorers(pools, facts)
        finally:
            for some in actors.values():
                for actor in some:
                    quietly(ray.kill, actor)


def _pool(scoring: ScoringConfig, role: str, actors: list[Any]) -> ScorerPool:
    passes = GPU_PASSES if getattr(scoring, role).num_gpus else CPU_PASSES
    return ScorerPool(actors, passes * pack_characters(scoring), ATTEMPTS, DEADLINE_S)


def _facts(role: str, starting: list[Any]) -> dict[str, Any]:
    try:
        return started(starting, f"a {role} scorer did not start:")[0]
    except RunFailed as error:
        if isinstance(found := error.__cause__, BadInput):  # Ray's error has the type of its cause too
            raise bad_model(role, getattr(found, "cause", found)) from None
        raise
