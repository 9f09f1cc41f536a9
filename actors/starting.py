"""Start named actors and wait until they are loaded; a failure is one line with the actor's own reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayError

from actors.reasons import reason_of
from actors.working_dir import working_dir_environment
from staragents.base.errors import RunFailed


def start_actor(
    kind: type,
    name: str,
    *arguments: Any,
    environment: Mapping[str, str] | None = None,
    concurrency_groups: dict[str, int] | None = None,
    **options: Any,
) -> Any:
    """A named actor that Ray restarts from `arguments` whenever it dies; not detached, so it ends with the
    driver. `environment`: variables of its process. `options`: resources and placement, as Ray names them."""
    grouped: dict[str, Any] = {"concurrency_groups": concurrency_groups} if concurrency_groups else {}
    made: Any = ray.remote(**grouped)(kind) if grouped else ray.remote(kind)
    if variables := {**working_dir_environment(), **(environment or {})}:
        options["runtime_env"] = {"env_vars": variables}
    return made.options(name=name, max_restarts=-1, **options).remote(*arguments)


def started(starting: Sequence[Any], failure: str = "an actor did not start:") -> list[dict[str, Any]]:
    """Wait for calls of `start`; returns their results. Raises RunFailed with the first reason if one fails,
    caused by Ray's error. `failure`: how its line begins."""
    try:
        return ray.get(list(starting))
    except RayError as error:
        raise RunFailed(f"{failure} {reason_of(error)}") from error
