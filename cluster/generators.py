"""Every model's pool of generators: one Ray Serve app each, deployed together, removed together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray import serve
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import LoggingConfig

from actors.engines.vllm_engine import vllm_environment
from actors.generator import Generator
from actors.generator_client import Handle
from staragents.config import Config, EngineKind, ModelConfig
from staragents.environment import ray_address
from staragents.errors import RunFailed
from staragents.packaged_models import resolve_model

logger = logging.getLogger(__name__)

# Longer than the longest generation: scaling down must not cut one.
DRAIN_S = 600.0


class GeneratorReplica(Generator):
    """A Generator as Serve wants it: loaded when constructed, freed when destroyed."""

    async def __init__(self, config: ModelConfig, model_path: str) -> None:  # type: ignore[misc]
        super().__init__(config, model_path)
        await self.start()

    async def __del__(self) -> None:
        await self.stop()


@contextmanager
def running_generators(config: Config, run_name: str) -> Iterator[dict[str, str]]:
    """Load every model and give its app's name; remove the apps on leaving, whatever happened.

    Raises RunFailed with the engine's reason if a pool does not come up.
    """
    apps = {name: f"staragents-{run_name}-{name}" for name in config.models}
    finished = False
    try:
        quiet = LoggingConfig(log_level="WARNING", enable_access_log=False)
        # A filter, as Serve sets the level of its logger when it starts.
        logging.getLogger("ray.serve").addFilter(_is_warning)
        serve.start(proxy_location="Disabled", logging_config=quiet)
        targets = [
            serve.RunTarget(
                target=_application(name, config.models[name], quiet), name=app, route_prefix=None
            )
            for name, app in apps.items()
        ]
        try:
            serve.run_many(targets)
        except RuntimeError as error:
            raise RunFailed(f"a model pool did not start: {_reason(error, apps)}") from error
        yield apps
        finished = True
    finally:
        for app in apps.values():
            # Drained replicas free their engines in order; after an interrupt nobody waits for answers that
            # nobody will read.
            quietly(serve.delete, app, finished)
        # A local Ray ends with the command, and Serve with it.
        if ray_address() and not _others_are_served():
            quietly(serve.shutdown)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def handle(app: str) -> Handle:
    """The way to a pool, from any actor. Requests are sent by value: a reference each would cost more."""
    return serve.get_app_handle(app).options(method_name="generate", _by_reference=False)


def _application(name: str, model: ModelConfig, quiet: LoggingConfig) -> serve.Application:
    options: dict[str, Any] = {"num_cpus": 0.0, "num_gpus": model.num_gpus}
    path = ""
    if model.kind is EngineKind.vllm:
        path = resolve_model(model.model)
        options["num_cpus"] = model.num_cpus
        options["runtime_env"] = {"env_vars": vllm_environment(model, Path(path).is_dir())}
    else:
        # These engines never block their loop, so a thread of its own for them would only cost a hop.
        options["runtime_env"] = {"env_vars": {"RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0"}}
    deployed = serve.deployment(
        name=name,
        ray_actor_options=options,
        max_ongoing_requests=model.max_ongoing,
        autoscaling_config=AutoscalingConfig(
            min_replicas=model.min_replicas,
            max_replicas=model.max_replicas,
            target_ongoing_requests=max(1.0, 0.8 * model.max_num_seqs),
        ),
        graceful_shutdown_timeout_s=DRAIN_S,
        graceful_shutdown_wait_loop_s=0.5,
        health_check_timeout_s=60,
        max_constructor_retry_count=1,
        logging_config=quiet,
    )(GeneratorReplica)
    return deployed.bind(model, path)


def _reason(error: Exception, apps: dict[str, str]) -> str:
    """The engine's own line, which Serve wraps into its status message."""
    try:
        messages = [
            deployment.message
            for name, status in serve.status().applications.items()
            if name in apps.values()
            for deployment in status.deployments.values()
        ]
    except Exception:
        messages = []
    lines = [line.strip() for text in (*messages, str(error)) for line in text.splitlines() if line.strip()]
    dead = [line for line in lines if "EngineDead" in line or "BadInput" in line]
    return (dead or lines or [type(error).__name__])[-1]


def _others_are_served() -> bool:
    """Somebody else's apps on a shared cluster must survive us."""
    try:
        return bool(serve.status().applications)
    except Exception:
        return False


def quietly(step: Callable[..., object], *arguments: object) -> None:
    """Clean-up goes on whatever one step says; the first error is the one the user needs to see."""
    try:
        step(*arguments)
    except Exception as error:
        logger.debug("while stopping: %s", error)
