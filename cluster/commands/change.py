"""`staragents change`: other settings and more agents while a run goes on."""

from __future__ import annotations

import click

from cluster.terminal import say, say_json
from staragents.errors import RunFailed


@click.command()
@click.argument("run", type=click.Path())
@click.argument("overrides", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--json", "as_json", is_flag=True, help="Print what changes as JSON.")
def change(run: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """More agents, models or budget for a run that goes on.

    RUN is the run directory, or the run's name with RAY_ADDRESS set. New agents and models, agents.retired,
    filters, prices and the limits in run.* can change. A new model is loaded while the run goes on; then the
    seeds in work are finished and saved, and the run goes on with the same engines and the new settings.
    Seeds whose pairs were drawn already keep them. Sizes of pools: staragents scale.

    \b
    Examples:
      staragents change runs/node8 'agents.response.brief={model: qwen, prompt: direct, max_tokens: 128}'
      staragents change runs/node8 'agents.retired=[deepen]'
      staragents change runs/node8 run.budget=80
    """
    import ray
    from ray.exceptions import RayError

    from cluster.commands.scale import refuse
    from cluster.running_job import joined

    with joined(run) as coordinator:
        try:
            answer = ray.get(coordinator.change.remote(overrides))
        except RayError as error:
            reason = str(error).strip().splitlines()[-1]
            raise RunFailed(f"{run}: the coordinator did not answer, try again: {reason}") from error
    refuse(answer)
    if as_json:
        say_json({"changed": answer.lines})
    else:
        say(f"taken up when the seeds in work are finished: {', '.join(answer.lines)}")
