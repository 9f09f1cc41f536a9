"""`staragents memory`: show or export a run's memory bank."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
from qdrant_client import models
from rich.table import Table
from rich.text import Text

from cluster.terminal.terminal import say_json
from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.memory.bank import MemoryBank
from staragents.memory.memory import Recalled
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import from_yaml


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--like", metavar="TEXT", help="Show what would be recalled for this instruction.")
@click.option(
    "--export", type=click.Path(path_type=Path), help="Write all points to a Parquet file, with vectors."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def memory(run_dir: Path, like: str | None, export: Path | None, as_json: bool) -> None:
    """Show the memory bank of a finished run, by pair.

    To start a new run with this bank, add memory.reuse=[RUN] to the new run's settings.

    \b
    Examples:
      staragents memory runs/demo
      staragents memory runs/demo --like "Name three rivers in France."
      staragents memory runs/demo --export bank.parquet
    """
    from cluster.terminal.console import make_console

    run = RunDirectory(run_dir)
    config = saved_config(run)
    points, recalled = asyncio.run(look(run, config, like))
    if export is not None:
        write(export, points)
    pairs = by_pair(points)
    if as_json:
        near = (
            None
            if recalled is None
            else [{"similarity": found.similarity, **found.payload} for found in recalled]
        )
        say_json({"points": len(points), "pairs": pairs, "recalled": near})
        return
    console = make_console(to_stderr=False)
    table = Table(title=f"{len(points)} memories of {run_dir}")
    for column in ("pair", "points", "mean reward", "mean worth"):
        table.add_column(column, justify="left" if column == "pair" else "right")
    for pair, numbers in pairs.items():
        table.add_row(
            Text(pair),
            str(numbers["points"]),
            f"{numbers['reward']:.3f}",
            f"{numbers['worth']:.3f}",
        )
    console.print(table)
    if recalled is not None:
        console.print(f"{len(recalled)} are similar (at least {config.memory.min_similarity:g})")
    for found in recalled or []:
        line = f"{found.similarity:.3f}  reward {found.payload['reward']:.3f}  {found.payload['pair']}"
        console.print(Text(f"{line}  (seed {found.payload['seed_id']})"))


def saved_config(run: RunDirectory) -> Config:
    try:
        config = from_yaml((run.path / "config.yaml").read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{run.path}: no config.yaml; expected a run directory") from error
    if not config.memory.enabled:
        raise BadInput(f"{run.path}: this run had memory.enabled=false")
    if not config.memory.url and not run.memory.is_dir():
        raise BadInput(f"{run.path}: expected the memory bank in {run.memory}, which is not there")
    return config


async def look(
    run: RunDirectory, config: Config, like: str | None
) -> tuple[list[models.Record], list[Recalled] | None]:
    from actors.embedder import load_embedder

    embedder = load_embedder(config.memory.embedder)
    bank = MemoryBank(config.memory, run.name, str(run.memory))
    await bank.open(embedder.size)
    try:
        points = await bank.points()
        recalled = None if like is None else await bank.recall(embedder.embed([like])[0])
        if not bank.available:
            raise BadInput(f"memory.url: the memory bank at {config.memory.url} does not answer")
        return points, recalled
    finally:
        await bank.close()


def by_pair(points: list[models.Record]) -> dict[str, dict[str, float]]:
    """Number of points and means by pair; pairs with the most points first."""
    payloads: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for point in points:
        payloads[(point.payload or {})["pair"]].append(point.payload or {})
    return {
        pair: {
            "points": len(some),
            "reward": sum(one["reward"] for one in some) / len(some),
            "worth": sum(one["worth"] for one in some) / len(some),
        }
        for pair, some in sorted(payloads.items(), key=lambda item: (-len(item[1]), item[0]))
    }


def write(path: Path, points: list[models.Record]) -> None:
    """Parquet: point_id, the payload's fields, vector (list of float32)."""
    rows = [{"point_id": str(point.id), **(point.payload or {})} for point in points]
    table = pa.Table.from_pylist(rows)
    vectors = pa.array([point.vector for point in points], pa.list_(pa.float32()))
    try:
        pq.write_table(table.append_column("vector", vectors), path, compression="zstd")
    except OSError as error:
        raise BadInput(f"--export: cannot write {path}: {error.strerror or error}") from error
