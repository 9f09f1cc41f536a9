"""`staragents change`: change settings or add agents while a run is running."""

from __future__ import annotations

import click

from cluster.terminal.terminal import say, say_json


@click.command()
@click.argument("run", type=click.Path())
@click.argument("overrides", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--json", "as_json", is_flag=True, help="Print what changes as JSON.")
def change(run: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Change a run in progress: more agents, models or budget.

    RUN is the run directory, or the run's name with RAY_ADDRESS set. You can add agents and models, and
    change agents.retired, filters, prices and the limits in run.*. New models are loaded while the run
    continues. Then the seeds in flight are finished and saved, and the run continues with the same engines
    and the new settings. Seeds whose pairs are already drawn keep them. For pool sizes, see staragents scale.

    \b
    Examples:
      staragents change runs/node8 'agents.response.brief={model: qwen, prompt: direct, max_tokens: 128}'
      staragents change runs/node8 'agents.retired=[deepen]'
      staragents change runs/node8 run.budget=80
    """
    import ray

    from cluster.driver.running_job import asked, raise_if_failed

    with asked(run) as coordinator:
        answer = ray.get(coordinator.change.remote(overrides))
    raise_if_failed(answer)
    if as_json:
        say_json({"changed": answer.lines})
    else:
        say(f"applies when the seeds in flight are finished: {', '.join(answer.lines)}")
