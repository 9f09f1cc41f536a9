"""`staragents replay`: evaluate a policy on recorded agents, or off-policy on a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from cluster.terminal.terminal import say, say_json
from staragents.base.errors import BadInput
from staragents.config import Config, PolicyName
from staragents.validation.plain_overrides import plain_overrides

if TYPE_CHECKING:
    from staragents.replay.replay import Replayed

FORGETFUL = (PolicyName.uniform, PolicyName.exp3)
"""Policies that do not use memory."""


@click.command()
@click.argument("source", metavar="TABLE|RUN", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1)
@click.option(
    "--policy",
    default=None,
    type=click.Choice([name.value for name in PolicyName]),
    help="Policy. [default: evolution.policy]",
)
@click.option("--draws", default=2, show_default=True, type=click.IntRange(1), help="Agents per instruction.")
@click.option("--passes", default=1, show_default=True, type=click.IntRange(1), help="Passes over the table.")
@click.option("--seeds", default=20, show_default=True, type=click.IntRange(1), help="Random orders.")
@click.option("--memory/--no-memory", default=True, show_default=True, help="Recall similar instructions.")
@click.option("--shuffle-embeddings", is_flag=True, help="Give each instruction the embedding of another.")
@click.option("--remember", default="winners", show_default=True, type=click.Choice(["winners", "all"]))
@click.option("--chart", type=click.Path(path_type=Path), help="Write an HTML chart of reward against draws.")
@click.option("--json", "as_json", is_flag=True, help="Print all numbers as JSON.")
def replay(
    source: Path,
    overrides: tuple[str, ...],
    policy: str | None,
    draws: int,
    passes: int,
    seeds: int,
    memory: bool,
    shuffle_embeddings: bool,
    remember: str,
    chart: Path | None,
    as_json: bool,
) -> None:
    """Reward of a policy on recorded agents or on a finished run.

    TABLE is JSONL (or .gz) with `instruction` and `win` {agent: 0 to 1} in each row. RUN is a run directory.
    Settings of evolution and memory can follow as key=value.

    \b
    Examples:
      staragents replay agents.jsonl.gz --policy thompson --draws 2
      staragents replay agents.jsonl.gz --policy ucb --no-memory evolution.exploration=1
      staragents replay runs/demo --policy uniform
    """
    from staragents.replay.recorded_table import RecordedTable
    from staragents.replay.replay import replay_table
    from staragents.report.replay_page import write_chart

    config = settings(overrides, policy)
    if source.is_dir():
        off_policy(source, config, policy, overrides, as_json)
        return
    if not source.exists():
        raise BadInput(f"{source}: expected a table of recorded agents or a run directory, got no such file")
    table = RecordedTable.read(source)
    if draws > len(table.agents):
        raise BadInput(f"--draws: expected at most {len(table.agents)}, the number of agents, got {draws}")
    vectors = _vectors(table.instructions, config, shuffle_embeddings) if memory else None
    kind = "shuffled" if shuffle_embeddings else "on"
    result = replay_table(table, config, draws, passes, seeds, vectors, kind, remember == "all")
    if chart is not None:
        write_chart(chart, result)
    if as_json:
        say_json(result.as_dict())
        return
    show(result, with_memory=vectors is not None)


def _vectors(instructions: tuple[str, ...], config: Config, shuffled: bool) -> np.ndarray | None:
    """The instructions' embeddings; None if the policy does not use memory."""
    if config.evolution.policy in FORGETFUL or not config.evolution.memory_weight:
        return None
    vectors = embed(instructions, config.memory.embedder)
    return vectors[np.random.default_rng(0).permutation(len(vectors))] if shuffled else vectors


def show(result: Replayed, with_memory: bool) -> None:
    """Print the rewards beside those of the bounds."""
    say(
        f"{result.table}: {result.agents} agents, {result.instructions} instructions; "
        f"{_count(result.draws, 'draw')}, {_count(result.passes, 'pass', 'es')}, "
        f"{_count(result.seeds, 'random order')}, memory {result.memory}"
    )
    interval = "" if result.half_width is None else f" +- {result.half_width:.4f}"
    _line(result.policy, f"{result.mean:8.4f}{interval}")
    _line("uniform", f"{result.uniform:8.4f}")
    best = "best agent" if result.draws == 1 else f"best {result.draws} agents"
    _line(f"{best}, fixed", f"{result.best_fixed:8.4f}  ({', '.join(result.best_fixed_agents)})")
    _line(f"{best} for each instruction", f"{result.best_each:8.4f}")
    for name, value in (("fixed", result.gap_closed), ("for each instruction", result.gap_closed_each)):
        if value is not None:
            _line(f"share of the gap closed, {name}", f"{value:8.2f}")
    if with_memory:
        worth = "" if result.memory_slope is None else f", learned slope {result.memory_slope:.3f}"
        _line("recalls with neighbours", f"{result.hit_rate:8.2f}{worth}")


def _line(name: str, values: str) -> None:
    say(f"{name:<34}{values}")


def _count(number: int, one: str, more: str = "s") -> str:
    return f"{number} {one if number == 1 else one + more}"


def settings(overrides: tuple[str, ...], policy: str | None) -> Config:
    """The default settings with the given overrides of evolution and memory."""
    problems: list[str] = []
    for override in overrides:
        if not override.startswith(("evolution.", "memory.")):
            problems.append(f"{override}: expected evolution.KEY=VALUE or memory.KEY=VALUE")
    config, _ = plain_overrides([*overrides, *([f"evolution.policy={policy}"] if policy else [])], problems)
    return config


def embed(texts: tuple[str, ...], model: str) -> np.ndarray:
    """Unit vectors, shape (texts, size)."""
    from actors.embedder import load_embedder

    return load_embedder(model).embed(texts)


def off_policy(
    source: Path, config: Config, policy: str | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Print estimates for a run directory; by default for the run's own policy and settings."""
    from staragents.analysis.saved_run import SavedRun
    from staragents.replay.off_policy import estimate

    run = SavedRun.open(source)
    evolution = config.evolution if policy or overrides else run.config.evolution
    pairs = [pair for pair in run.config.pairs if pair not in run.config.agents.base_pairs]
    total = run.summary["funnel"]["seeds"]
    result = estimate(run.folder.seeds(), evolution, pairs, total, run.config.factors)
    if as_json:
        say_json(result.as_dict())
        return
    say(
        f"{source}: {result.seeds} seeds, {result.draws} draws without base pairs, {result.missing} without "
        f"a reward; policy {result.policy}, without memory"
    )
    for one in (result.logged, *result.estimates):
        _line(one.name, f"{one.mean:8.4f} +- {one.half_width:.4f}")
    _line("effective draws", f"{result.effective_draws:8.0f}")
    if result.warning:
        say(f"warning: {result.warning}", err=True)
