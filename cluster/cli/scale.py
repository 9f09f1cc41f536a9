"""`staragents scale`: more or fewer replicas while a run is running."""

from __future__ import annotations

import json
from typing import Any

import click

from staragents.base.errors import BadInput

STATUS_S = 30.0


@click.command()
@click.argument("run", type=click.Path())
@click.argument("pool")
@click.argument("size", metavar="N|MIN:MAX")
@click.option("--json", "as_json", is_flag=True, help="Print the pool's new size as JSON.")
def scale(run: str, pool: str, size: str, as_json: bool) -> None:
    """Resize a pool of a run in progress.

    POOL is a model's name, or target or larger for IFD scorers. RUN is the run directory, or the run's name
    with RAY_ADDRESS set. MIN:MAX autoscales the pool in that range. Removed replicas finish their work first;
    0 pauses all work that needs the pool until it is scaled up again. Returns when the resize is done. No
    work is lost, and the dataset stays the same.

    \b
    Examples:
      staragents scale runs/node8 qwen 2
      staragents scale runs/node8 qwen 1:4
      staragents scale runs/node8 target 0
    """
    import ray

    from cluster.driver.running_job import asked, raise_if_failed

    low, high = parse_size(size)
    with asked(run) as coordinator:
        sizes = ray.get(coordinator.status.remote(), timeout=STATUS_S)["pools"]
        key = pool_key(pool, sizes)
        answer = ray.get(coordinator.scale.remote(key, low, high))
    raise_if_failed(answer)
    click.echo(json.dumps({"pool": key, "min": low, "max": high}) if as_json else f"{key}: {size}")


def parse_size(text: str) -> tuple[int, int]:
    """`3`, or `1:4`. Raises BadInput."""
    low, colon, high = text.partition(":")
    try:
        least, most = int(low), int(high if colon else low)
    except ValueError:
        raise BadInput(f"N|MIN:MAX: expected a number such as 3, or two such as 1:4, got {text!r}") from None
    if least < 0 or most < least:
        raise BadInput(f"N|MIN:MAX: expected 0 <= MIN <= MAX, got {text}")
    if most > least == 0:
        raise BadInput(f"N|MIN:MAX: expected MIN of at least 1 with a range, or 0 to pause, got {text}")
    return least, most


def pool_key(pool: str, pools: dict[str, Any]) -> str:
    """The full name: `models.X` or `scoring.X`; a model takes precedence over scorers of the same name."""
    for key in (pool, f"models.{pool}", f"scoring.{pool}"):
        if key in pools:
            return key
    raise BadInput(f"POOL: expected one of {', '.join(pools)}, got {pool!r}")
