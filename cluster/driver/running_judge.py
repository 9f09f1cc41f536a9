"""Loads the judge of a config alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from actors.generator_client import GeneratorClient, connect
from cluster.pools.generators import running_generators
from cluster.session.demand import demand_of
from cluster.session.ray_session import ray_session
from cluster.terminal.stop_signals import restore_sigterm
from staragents.config import Config


def only_judge(config: Config) -> Config:
    """`config` without what the judge does not need."""
    scoring = config.scoring
    return replace(
        config,
        models={config.judge.model: config.models[config.judge.model]},
        scoring=replace(
            scoring,
            target=replace(scoring.target, replicas=0, max_replicas=None),
            larger=replace(scoring.larger, replicas=0, max_replicas=None),
        ),
        memory=replace(config.memory, enabled=False),
    )


def judge_name(config: Config) -> str:
    """The judge's model, or its kind of engine, such as fake."""
    model = config.models[config.judge.model]
    return model.model or model.kind.value


@contextmanager
def running_judge(alone: Config, say: Callable[[str], None]) -> Iterator[GeneratorClient]:
    """A client of the judge's model until the block ends. `alone`: from `only_judge`.

    Raises BadInput if there is no room for it and RunFailed if it does not start.
    """
    with ray_session(demand_of(alone)):
        restore_sigterm()
        say(f"loading the judge, {judge_name(alone)}")
        with running_generators(alone, f"judge-{uuid.uuid4().hex[:8]}") as apps:
            yield connect(alone, apps, None)
