"""`staragents replay`: evaluate policies on recorded agents, or off-policy on a finished run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from click.core import ParameterSource

from cluster.cli.output_path import OutputPath
from cluster.cli.replay_settings import settings
from cluster.terminal.terminal import say, say_json
from staragents.base.errors import BadInput
from staragents.config import Config, Cost, PolicyName

if TYPE_CHECKING:
    from staragents.replay.order import Plan
    from staragents.replay.recorded_table import RecordedTable
    from staragents.replay.replay import Table

TABLE_OPTIONS = ("draws", "passes", "orders", "shuffle_embeddings", "chart")


@click.command()
@click.argument("arguments", metavar="TABLE|RUN... [KEY=VALUE]...", nargs=-1, required=True)
@click.option(
    "--policies",
    "--policy",
    "policies",
    default=None,
    metavar="A,B,...",
    help=f"Policies: {', '.join(PolicyName)}. [default: evolution.policy]",
)
@click.option("--draws", default=2, show_default=True, type=click.IntRange(1), help="Agents per instruction.")
@click.option("--passes", default=1, show_default=True, type=click.IntRange(1), help="Passes over the table.")
@click.option(
    "--orders",
    "--seeds",
    "orders",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="Random orders.",
)
@click.option("--memory/--no-memory", default=True, show_default=True, help="Recall similar instructions.")
@click.option("--shuffle-embeddings", is_flag=True, help="Give each instruction the embedding of another.")
@click.option("--chart", type=OutputPath(dir_okay=False), help="Write an HTML chart of reward against draws.")
@click.option("--json", "as_json", is_flag=True, help="Print all numbers as JSON: a list, one result each.")
def replay(
    arguments: tuple[str, ...],
    policies: str | None,
    draws: int,
    passes: int,
    orders: int,
    memory: bool,
    shuffle_embeddings: bool,
    chart: Path | None,
    as_json: bool,
) -> None:
    """Reward of policies on recorded agents or on finished runs.

    TABLE is JSONL (or .gz) with `instruction` and `win` {agent: 0 to 1} in each row; settings of evolution
    and memory, and reward.cost, can follow as key=value. Embeddings are kept in the user's cache folder.

    RUN is a run directory, for which rewards are estimated off-policy, by default of its own policy. Settings
    of evolution can follow, which change those of the run, and --policies and --no-memory.

    \b
    Examples:
      staragents replay agents.jsonl.gz more.jsonl.gz --policies uniform,paper,thompson
      staragents replay agents.jsonl.gz --policy ucb --no-memory evolution.exploration=0.4
      staragents replay agents.jsonl.gz reward.cost=tokens
      staragents replay runs/demo --policy uniform
      staragents replay runs/demo --no-memory evolution.exploration=0.4
    """
    from cluster.cli.replay_run import check_for_runs, estimated, show_estimate
    from staragents.replay.order import Plan

    overrides = tuple(one for one in arguments if "=" in one and not Path(one).exists())
    sources = [Path(one) for one in arguments if one not in overrides]
    if not sources:
        raise BadInput("expected a table of recorded agents or a run directory, got only settings")
    names = _names(policies)
    runs = [source for source in sources if source.is_dir()]
    if runs:
        check_for_runs(overrides)
    if len(runs) == len(sources):
        _check_no_table_options(click.get_current_context())
    # The default settings hold for tables; a run has its own.
    paths = [source for source in sources if source not in runs]
    configs = [settings(overrides, policy, memory) for policy in names] if paths else []
    tables = _tables(paths, draws, configs)
    estimates = [(run, estimated(run, overrides, name, memory)) for run in runs for name in names]
    results: list[dict[str, Any]] = [estimate.as_dict() for _, estimate in estimates]
    if tables:
        results += _replay(tables, configs, Plan(draws, passes, orders), shuffle_embeddings, chart, as_json)
    if as_json:
        say_json(results)
        return
    for run, estimate in estimates:
        show_estimate(run, estimate)


def _replay(
    tables: list[RecordedTable],
    configs: list[Config],
    plan: Plan,
    shuffled: bool,
    chart: Path | None,
    silent: bool,
) -> list[dict[str, Any]]:
    """Replay the tables and, unless `silent`, print the results."""
    from cluster.cli.replay_table import lines_of
    from staragents.replay.replay import replay_tables

    embedded = [_embedded(table, configs, shuffled) for table in tables]
    results = replay_tables(embedded, configs, plan, os.cpu_count() or 1)
    if chart is not None:
        from staragents.report.replay_page import write_chart

        write_chart(chart, results)
    if not silent:
        for line in lines_of(results):
            say(line)
    return [result.as_dict() for result in results]


def _names(policies: str | None) -> list[str | None]:
    """The policies asked for; None for that of the settings."""
    if policies is None:
        return [None]
    names = [name.strip() for name in policies.split(",") if name.strip()]
    unknown = [name for name in names if name not in list(PolicyName)]
    if unknown or not names:
        raise BadInput(
            f"--policies: expected some of {', '.join(PolicyName)}, got {', '.join(unknown) or 'none'}"
        )
    return list(dict.fromkeys(names))


def _check_no_table_options(context: click.Context) -> None:
    """Raises BadInput for options of tables, of which none was given."""
    given = [
        f"--{name.replace('_', '-')}: expected a table of recorded agents, got run directories only"
        for name in TABLE_OPTIONS
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise BadInput(given)


def _tables(paths: list[Path], draws: int, configs: list[Config]) -> list[RecordedTable]:
    """Read all tables. Raises BadInput with the problems of all of them."""
    from staragents.replay.recorded_table import RecordedTable

    tables, problems = [], []
    for path in paths:
        if not path.exists():
            problems.append(
                f"{path}: expected a table of recorded agents or a run directory, got no such file"
            )
            continue
        try:
            table = RecordedTable.read(path)
        except BadInput as error:
            problems += error.problems
            continue
        tables.append(table)
        if draws > len(table.agents):
            problems.append(
                f"--draws: expected at most {len(table.agents)}, the number of agents of {path}, got {draws}"
            )
        if table.costs is None and any(config.reward.cost is not Cost.none for config in configs):
            problems.append(
                f"{path}: reward.cost expects the object tokens, cost or response with every agent in each "
                f"row"
            )
    if problems:
        raise BadInput(problems)
    return tables


def _embedded(table: RecordedTable, configs: list[Config], shuffled: bool) -> Table:
    """The table with its embeddings if a policy uses memory."""
    from staragents.replay.replay import Table, uses_memory

    if not any(uses_memory(config) for config in configs):
        return Table(table)
    vectors = embed(table.instructions, configs[0].memory.embedder)
    if shuffled:
        return Table(table, vectors[np.random.default_rng(0).permutation(len(vectors))], "shuffled")
    return Table(table, vectors)


def embed(texts: tuple[str, ...], model: str) -> np.ndarray:
    """Unit vectors, shape (texts, size), from the cache if they are there."""
    from staragents.replay.vector_cache import cached_vectors

    def computed(texts: Any) -> np.ndarray:
        from actors.embedder import load_embedder

        if len(texts) > 1000:
            say(f"embedding {len(texts)} instructions with {model} (kept for the next time)", err=True)
        return load_embedder(model, os.cpu_count() or 1).embed(texts)

    return computed(texts) if model == "fake" else cached_vectors(texts, model, computed)
