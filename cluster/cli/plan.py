"""`staragents plan`: predict resources, time and cost of a run before it starts."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from cluster.terminal.console import safe_console
from staragents.base.environment import ray_address

if TYPE_CHECKING:
    from cluster.session.capacity import Capacity
    from cluster.session.demand import Demand
    from staragents.run.forecast import Forecast, Rates


@click.command()
@click.argument("config", type=click.Path())
@click.argument("overrides", nargs=-1)
@click.option(
    "--like",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="A run directory whose measured rates predict tokens and time; a few seeds are enough.",
)
@click.option("--json", "as_json", is_flag=True, help="Print demand, capacity and forecast as JSON.")
def plan(config: str, overrides: tuple[str, ...], like: Path | None, as_json: bool) -> None:
    """Will it fit, how long will it take, what will it cost?

    Compares the config's demand with this machine, or with the cluster at RAY_ADDRESS including its
    autoscaler's maxima. Predicts tokens, time, GPU-hours and, with prices in the config, cost, and what the
    run's own processes and its state need. Loads no model. Exits with 2 if the run can't fit.

    \b
    Examples:
      staragents plan configs/node8.yaml
      staragents run configs/demo.yaml seeds.limit=5 output.dir=runs/five
      staragents plan configs/demo.yaml --like runs/five
    """
    from cluster.session.demand import demand_of
    from staragents.agents.agents import model_notes
    from staragents.data.seed_file import SeedFile
    from staragents.run.control_plane import control_plane
    from staragents.run.forecast import Rates, forecast
    from staragents.validation.loading import load_config

    settings = load_config(config, overrides)
    rates = Rates.of(like) if like else None
    demand = demand_of(settings)
    there = capacity()
    there.check(demand)
    predicted = forecast(settings, SeedFile(settings.seeds).scan().seeds, demand.gpus, rates)
    rate = rates.candidates_per_second if rates else None
    control = control_plane(settings, predicted.seeds, predicted.candidates, rate)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "pools": [{**asdict(pool), "bytes": pool.bytes} for pool in demand.pools],
                    "cpus": demand.cpus,
                    "gpus": demand.gpus,
                    "capacity": {"where": there.where, "cpus": there.cpus, "gpus": there.gpus},
                    "forecast": predicted.as_dict(),
                    "control_plane": asdict(control),
                    "like": asdict(rates) if rates else None,
                }
            )
        )
        return
    console = safe_console(soft_wrap=True)
    show(console, demand, there, predicted, rates)
    for line in model_notes(settings):
        console.print(line, markup=False, highlight=False)
    for line in control.lines(settings.run.workers):
        console.print(line, markup=False, highlight=False)


def capacity() -> Capacity:
    from cluster.session.capacity import of_the_cluster, of_this_machine

    address = ray_address()
    if not address:
        return of_this_machine()
    import ray

    from cluster.session.ray_session import join

    join(address)
    try:
        return of_the_cluster()
    finally:
        ray.shutdown()


def show(console: Console, demand: Demand, there: Capacity, predicted: Forecast, rates: Rates | None) -> None:
    pools = Table("pool", "replicas", "CPUs", "GPUs", "memory per replica", box=None, pad_edge=False)
    for pool in demand.pools:
        most = f"-{pool.max_replicas}" if pool.max_replicas > pool.replicas else ""
        pools.add_row(
            pool.name,
            f"{pool.replicas}{most}",
            f"{pool.cpus:g}",
            f"{pool.gpus:g}{pool.on_nodes}",
            pool.explain_bytes(),
        )
    console.print(pools)
    console.print()
    for line in lines(demand, there, predicted, rates):
        console.print(line, markup=False, highlight=False)


def lines(demand: Demand, there: Capacity, predicted: Forecast, rates: Rates | None) -> list[str]:
    """The lines below the table."""
    found = [
        f"fits: {demand.cpus:g} CPUs and {demand.gpus:g} GPUs at the start; "
        f"{there.where} has {there.cpus:g} CPUs and {there.gpus:g} GPUs"
    ]
    if demand.cpus > there.cpus:
        found.append(f"note: {demand.cpus:g} CPUs on {there.cpus:g} cores: the pools share them")
    if demand.most_gpus > there.gpus:
        found.append(f"note: pools may grow to {demand.most_gpus:g} GPUs, but {there.gpus:g} are available")
    return found + predicted.lines(rates)
