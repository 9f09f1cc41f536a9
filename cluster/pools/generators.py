"""The generator pools: one Ray Serve app per model, deployed and removed together."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from ray import serve
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview, LoggingConfig

from actors.clean_up import quietly
from actors.engines.vllm_environment import vllm_environment
from actors.generator_replica import GeneratorReplica
from actors.orphan_cleanup import guarded
from actors.ray_internals import with_version
from actors.working_dir import working_dir_environment
from cluster.session.demand import replica_bundles
from staragents.agents.probes import probes_of
from staragents.base.environment import ray_address
from staragents.base.errors import RunFailed
from staragents.base.generation import GenerationRequest
from staragents.base.last_error import last_error
from staragents.config import Config, EngineKind, ModelConfig
from staragents.models.model_names import resolve_model

logger = logging.getLogger(__name__)

# Longer than the longest generation: scaling down must not cut one off.
DRAIN_S = 600.0
# How soon a pool scaled to zero removes its last replica.
TO_ZERO_S = 1.0
POLL_S = 0.2
# Autoscaling parameters of Serve. Downscaling is slow, because a replica takes minutes to load.
FOLLOWING: dict[str, Any] = {
    "upscale_delay_s": 30.0,
    "downscale_delay_s": 600.0,
    "metrics_interval_s": 10.0,
    "look_back_period_s": 30.0,
}
QUIET = LoggingConfig(log_level="WARNING", enable_access_log=False)


@contextmanager
def running_generators(
    config: Config, run_name: str, meanwhile: Callable[[], None] = lambda: None
) -> Iterator[dict[str, str]]:
    """Load every model; yields app names by model and always removes the apps on exit. `meanwhile` is called
    repeatedly while models load, and may raise.

    Raises RunFailed with the engine's reason as soon as a pool fails to start.
    """
    apps = {name: f"staragents-{run_name}-{name}" for name in config.models}
    finished = False
    with guarded(list(apps.values()), run_name):
        try:
            # A filter, because Serve sets the level of its logger when it starts.
            logging.getLogger("ray.serve").addFilter(_is_warning)
            for name, model in config.models.items():
                logger.info(
                    "loading models.%s: %d x %s",
                    name, model.min_replicas, model.model or model.kind.value,
                )  # fmt: skip
            serve.start(proxy_location="Disabled", logging_config=QUIET)
            targets = [
                serve.RunTarget(
                    target=_application(
                        name, model, model.min_replicas, model.max_replicas, probes_of(config, name)
                    ),
                    name=app,
                    route_prefix=None,
                )
                for (name, model), app in zip(config.models.items(), apps.values(), strict=True)
            ]
            serve.run_many(targets, wait_for_applications_running=False)
            _await_running(apps, meanwhile)
            yield apps
            finished = True
        finally:
            if _to_be_removed(config):
                for app in apps.values():
                    quietly(serve.delete, app, False)
                # Drained replicas free their engines in order, all pools at once. After an interrupt, don't
                # wait: nobody reads the answers.
                for app in apps.values() if finished else ():
                    quietly(serve.delete, app)
            # Only on a cluster: a local Ray and its Serve end with the command.
            if ray_address() and not _others_are_served():
                quietly(serve.shutdown)


def _to_be_removed(config: Config) -> bool:
    """Whether the apps must be removed. On a local Ray, which ends with the command, only engines with child
    processes have something to free; to wait until Serve has removed the others takes two seconds."""
    return bool(ray_address()) or any(model.kind is EngineKind.vllm for model in config.models.values())


def resize_generator(
    app: str, name: str, model: ModelConfig, low: int, high: int, probes: tuple[GenerationRequest, ...] = ()
) -> None:
    """Resize a running pool to `low`..`high` replicas; removed replicas finish their requests first.

    Returns when at least `low` are running. Raises RunFailed with the reason if that fails.
    """
    # The replicas were built with the sizes in the config; only Serve's settings may differ from it.
    resized = _application(name, model, low, high, probes)
    try:
        serve.run(resized, name=app, route_prefix=None)
    except RuntimeError as error:
        status = serve.status().applications.get(app)
        reason = _reason(status) if status else last_error(str(error))
        raise RunFailed(f"{name} was not resized: {reason}") from error


def replicas_of(app: str) -> int:
    """The replicas of a pool that have its resources: also those that start, and removed ones that still
    finish their requests."""
    status = serve.status().applications.get(app)
    deployments = status.deployments.values() if status is not None else ()
    return sum(number for deployment in deployments for number in deployment.replica_states.values())


def _await_running(apps: dict[str, str], meanwhile: Callable[[], None]) -> None:
    """Wait for all apps at the same time. Serve's own wait takes one app after the other, so it would report
    a failed pool only after earlier ones have loaded."""
    loading, started = dict(apps), time.monotonic()
    while loading:
        meanwhile()
        statuses = serve.status().applications
        for name, app in list(loading.items()):
            if app in statuses and statuses[app].status == ApplicationStatus.DEPLOY_FAILED:
                raise RunFailed(f"a model pool did not start: models.{name}: {_reason(statuses[app])}")
            if app in statuses and statuses[app].status == ApplicationStatus.RUNNING:
                logger.info("models.%s is up after %.1f s", name, time.monotonic() - started)
                del loading[name]
        if loading:
            time.sleep(POLL_S)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _application(
    name: str, model: ModelConfig, low: int, high: int, probes: tuple[GenerationRequest, ...]
) -> serve.Application:
    options: dict[str, Any] = {
        "num_cpus": 0.0,
        "num_gpus": model.num_gpus,
        "resources": model.resources,
    }
    path, group = "", dict[str, Any]()
    if model.kind is EngineKind.vllm:
        path = resolve_model(model.model)
        options["num_cpus"] = model.num_cpus
        environment = vllm_environment(model, Path(path).is_dir())
    else:
        # These engines never block their event loop, so a separate thread would only add a hop.
        environment = {"RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0"}
    options["runtime_env"] = {"env_vars": {**working_dir_environment(), **environment}}
    if model.nodes > 1:
        bundles = replica_bundles(options["num_cpus"], model.num_gpus, model.nodes, model.resources)
        group = {"placement_group_bundles": bundles, "placement_group_strategy": "PACK"}
        # The engine's own actors take the GPUs.
        options |= {"num_gpus": 0.0, "resources": {}}
    deployed = serve.deployment(
        name=name,
        ray_actor_options=options,
        max_ongoing_requests=model.max_ongoing,
        autoscaling_config=AutoscalingConfig(
            min_replicas=low,
            # Serve has no maximum of 0: a paused pool may have one replica, but gets no requests.
            max_replicas=max(1, high),
            target_ongoing_requests=max(1.0, 0.8 * model.max_num_seqs),
            downscale_to_zero_delay_s=TO_ZERO_S if not high else None,
            **FOLLOWING,
        ),
        graceful_shutdown_timeout_s=DRAIN_S,
        graceful_shutdown_wait_loop_s=0.5,
        health_check_timeout_s=60,
        max_constructor_retry_count=1,
        logging_config=QUIET,
        **group,
    )(GeneratorReplica)
    return cast(serve.Application, with_version(deployed, "1").bind(model, path, probes))


def _reason(status: ApplicationStatusOverview) -> str:
    """The engine's own error, extracted from the traceback that Serve returns as text."""
    said = [deployment.message for deployment in status.deployments.values() if deployment.message]
    return last_error(said[-1] if said else status.message)


def _others_are_served() -> bool:
    """Whether other apps are running on a shared cluster: they must survive this run."""
    try:
        return bool(serve.status().applications)
    except Exception:
        return False
