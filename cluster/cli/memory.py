"""`staragents memory`: show or export a run's memory bank."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
from rich.table import Table
from rich.text import Text

from cluster.cli.output_path import OutputPath
from cluster.terminal.terminal import say_json
from staragents.base.errors import BadInput
from staragents.config import Config, Keep
from staragents.evolution.policy import RecalledOutcomes
from staragents.files.atomic_file import replacing
from staragents.memory.bank import Bank, make_bank
from staragents.memory.local_bank import FILE, LocalBank
from staragents.memory.memory import Memory
from staragents.memory.outcome_log import size_of
from staragents.memory.recorded import recorded
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import from_yaml

SHOWN = 20
"""Recalled seeds in the terminal; --json has all."""


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--like", metavar="TEXT", help="Show what would be recalled for this instruction.")
@click.option("--export", type=OutputPath(), help="Write all memories to a Parquet file, with vectors.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def memory(run_dir: Path, like: str | None, export: Path | None, as_json: bool) -> None:
    """Show what a run remembers, by pair; also while it is running.

    To start a new run with this memory, add memory.reuse=[RUN] to the new run's settings.

    \b
    Examples:
      staragents memory runs/demo
      staragents memory runs/demo --like "Name three rivers in France."
      staragents memory runs/demo --export bank.parquet
    """
    from cluster.terminal.console import make_console

    run = RunDirectory(run_dir)
    config = saved_config(run)
    held, recalled, size = asyncio.run(look(run, config, like))
    if export is not None:
        write(export, held)
    pairs = by_pair(held)
    outcomes = sum(len(one.pairs) for one in held)
    if as_json:
        near = None if recalled is None else rows_of(recalled)
        said = {"seeds": len(held), "outcomes": outcomes, "bytes": size, "pairs": pairs, "recalled": near}
        say_json(said)
        return
    console = make_console(to_stderr=False)
    console.print(in_words(run_dir, config, len(held), outcomes, size))
    table = Table()
    for column in ("pair", "seeds", "chosen", "mean reward"):
        table.add_column(column, justify="left" if column == "pair" else "right")
    for pair, numbers in pairs.items():
        table.add_row(Text(pair), str(numbers["seeds"]), str(numbers["won"]), f"{numbers['reward']:.3f}")
    console.print(table)
    if recalled is not None:
        seeds = len(dict.fromkeys(recalled.seed_ids))
        console.print(f"For this instruction, {len(recalled)} outcomes of {seeds} seeds are recalled:")
        for row in rows_of(recalled)[:SHOWN]:
            line = f"{row['similarity']:.3f}  reward {row['reward']:.3f}  {row['pair']}"
            console.print(Text(f"{line}  (seed {row['seed_id']})"))
        if len(recalled) > SHOWN:
            console.print(f"and {len(recalled) - SHOWN} more (--json)")


def in_words(run_dir: Path, config: Config, seeds: int, outcomes: int, size: int | None) -> Text:
    """One sentence about the whole bank."""
    what = "the chosen pair" if config.memory.keep is Keep.winners else "the reward of every drawn pair"
    where = f"on {config.memory.url}" if size is None else f"in {size / 1e6:.2f} MB"
    return Text(f"{run_dir} remembers {seeds} seeds with {outcomes} outcomes {where}: {what}.")


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
) -> tuple[list[Memory], RecalledOutcomes | None, int | None]:
    """All memories, what would be recalled, and the size of the file in bytes (None on a server)."""
    bank = await opened(run, config)
    try:
        held = await bank.memories()
        recalled = None
        if like is not None:
            from actors.embedder import load_embedder

            recalled = await bank.recall(load_embedder(config.memory.embedder).embed([like])[0])
        if not bank.available:
            raise BadInput(f"memory.url: the memory bank at {config.memory.url} does not answer")
        return held, recalled, bank.bytes if isinstance(bank, LocalBank) else None
    finally:
        await bank.close()


async def opened(run: RunDirectory, config: Config) -> Bank:
    """The run's bank, for reading. Of a local bank of an earlier version, what the run's candidates say."""
    from actors.embedder import load_embedder

    size = None if config.memory.url else size_of(run.memory / FILE)
    if size is not None:
        local = LocalBank(config.memory, str(run.memory), read_only=True)
        await local.open(size)
        return local
    embedder = load_embedder(config.memory.embedder)
    bank = make_bank(config.memory, run.name, None)
    await bank.open(embedder.size)
    if not config.memory.url:
        taught = list(recorded(run, config.memory, config.reward.cost))
        vectors = embedder.embed([one.instruction for one in taught])
        await bank.remember([one.memory(vector) for one, vector in zip(taught, vectors, strict=True)])
    return bank


def rows_of(recalled: RecalledOutcomes) -> list[dict[str, Any]]:
    columns = (recalled.seed_ids, recalled.pairs, recalled.rewards.tolist(), recalled.similarities.tolist())
    names = ("seed_id", "pair", "reward", "similarity")
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def by_pair(held: list[Memory]) -> dict[str, dict[str, float]]:
    """Number of seeds, how often it was chosen, and mean reward by pair; pairs with the most seeds first."""
    found: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
    for one in held:
        for pair, reward, won in zip(one.pairs, one.rewards, one.won, strict=True):
            found[pair].append((reward, won))
    return {
        pair: {
            "seeds": len(some),
            "won": sum(won for _, won in some),
            "reward": sum(reward for reward, _ in some) / len(some),
        }
        for pair, some in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    }


def write(path: Path, held: list[Memory]) -> None:
    """Parquet, a row per seed: order, seed_id, pairs, rewards, won, vector (list of float32)."""
    table = pa.table(
        {
            "order": pa.array([one.order for one in held], pa.int64()),
            "seed_id": pa.array([one.seed_id for one in held], pa.string()),
            "pairs": pa.array([list(one.pairs) for one in held], pa.list_(pa.string())),
            "rewards": pa.array([list(one.rewards) for one in held], pa.list_(pa.float64())),
            "won": pa.array([list(one.won) for one in held], pa.list_(pa.bool_())),
            "vector": pa.array([one.vector for one in held], pa.list_(pa.float32())),
        }
    )
    try:
        with replacing(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
    except OSError as error:
        raise BadInput(f"--export: cannot write {path}: {error.strerror or error}") from error
