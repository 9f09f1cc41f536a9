"""The scorer pools of a score command: several actors a model, some windows of rows in work at once."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayError

from actors.scorer_pool import ScorerPool
from cluster.clean_up import quietly
from cluster.demand import demand_of
from cluster.ray_session import ray_session
from cluster.reasons import reason_of
from cluster.scorers import start_scorer
from cluster.stop_signals import take_back_sigterm
from staragents.config import Config, ScoringConfig
from staragents.errors import BadInput, RunFailed
from staragents.score_file.loading import bad_model
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.ifd import Score, ScoreRow

# Of some seconds each: enough that no actor waits while finished rows are written, little enough to bound
# memory and what a kill throws away.
WINDOWS_IN_FLIGHT = 4
# A GPU wants several forward passes to sort its sequences over; on a CPU a pack is seconds of work anyway.
CPU_PASSES, GPU_PASSES = 1, 8
ATTEMPTS = 3
# Of one pack, which may wait for another and, after a restart, for the model.
DEADLINE_S = 1800.0


class RayScorers:
    """Same interface as LocalScorers, over the scorer pools of a run."""

    def __init__(self, pools: Mapping[str, ScorerPool], facts: Mapping[str, dict[str, Any]]) -> None:
        """`facts` are what a scorer of each role said at its start."""
        self._pools = pools
        self.parameters = {role: int(fact["parameters"]) for role, fact in facts.items()}
        self.same_tokenizer = len({fact["tokenizer"] for fact in facts.values()}) == 1

    def score(self, windows: Iterable[list[ScoreRow]]) -> Iterator[dict[str, list[Score]]]:
        """Scores by role for each window, in order. Takes WINDOWS_IN_FLIGHT before it gives one back.

        Raises EngineError if a row could not be scored however often it was tried.
        """
        flight: deque[asyncio.Task[dict[str, list[Score]]]] = deque()
        # The loop only runs while we wait; actors have a second pack for the meantime.
        with asyncio.Runner() as runner:
            for window in windows:
                flight.append(runner.get_loop().create_task(self._window(window)))
                if len(flight) == WINDOWS_IN_FLIGHT:
                    yield runner.run(_result(flight.popleft()))
            while flight:
                yield runner.run(_result(flight.popleft()))

    async def _window(self, rows: list[ScoreRow]) -> dict[str, list[Score]]:
        scores = await asyncio.gather(*(self._scored(pool, rows) for pool in self._pools.values()))
        return dict(zip(self._pools, scores, strict=True))

    async def _scored(self, pool: ScorerPool, rows: list[ScoreRow]) -> list[Score]:
        return [score for score, _ in await asyncio.gather(*(pool.score(row.messages) for row in rows))]


async def _result(task: asyncio.Task[dict[str, list[Score]]]) -> dict[str, list[Score]]:
    return await task


@contextmanager
def ray_scorers(paths: Mapping[str, str], settings: ScoreSettings) -> Iterator[RayScorers]:
    """Scorers on the cluster at RAY_ADDRESS or on a local Ray, loaded; all of it goes on leaving.

    Raises BadInput if the cluster is too small or a model can't be loaded, RunFailed if an actor dies of it.
    """
    scoring = settings.scoring
    with ray_session(demand_of(Config(scoring=scoring))):
        take_back_sigterm()
        name = f"score-{uuid.uuid4().hex[:12]}"
        actors: dict[str, list[Any]] = {role: [] for role in paths}
        try:
            for role in paths:
                for index in range(getattr(scoring, role).replicas):
                    actors[role].append(start_scorer(scoring, role, f"{name}-{role}-{index}"))
            starting = {role: [actor.start.remote() for actor in some] for role, some in actors.items()}
            facts = {role: _started(role, some) for role, some in starting.items()}
            pools = {role: _pool(scoring, role, some) for role, some in actors.items()}
            yield RayScorers(pools, facts)
        finally:
            for some in actors.values():
                for actor in some:
                    quietly(ray.kill, actor)


def _pool(scoring: ScoringConfig, role: str, actors: list[Any]) -> ScorerPool:
    passes = GPU_PASSES if getattr(scoring, role).num_gpus else CPU_PASSES
    # Some four characters a token, and every answer is scored twice: with its prompt and without.
    return ScorerPool(actors, 2 * passes * scoring.batch_tokens, ATTEMPTS, DEADLINE_S)


def _started(role: str, starting: list[Any]) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = ray.get(starting)[0]
        return facts
    except BadInput as error:
        raise bad_model(role, error.cause if hasattr(error, "cause") else error) from None
    except RayError as error:
        raise RunFailed(f"a {role} scorer did not start: {reason_of(error)}") from error
