"""Repairs a damaged run directory: moves bad files aside, keeps good candidates, counts lost seeds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.data.seed_scan import SeedScan
from staragents.files.atomic_file import sync_folder
from staragents.run.inspection import inspect
from staragents.run.results import write_results
from staragents.run_directory.damage import Damage
from staragents.run_directory.manifest import (
    STATE,
    is_of_state,
    read_manifest,
    remove_manifest,
    state_file,
)
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import RunState, first_state, is_of, started_anew
from staragents.run_directory.salvage import seed_ids
from staragents.run_directory.sealed_json import Unreadable, read_sealed
from staragents.text.printable import one_line
from staragents.validation.config_builder import typed
from staragents.validation.loading import escaped, from_yaml, saved_config


@dataclass(frozen=True)
class Repair:
    """The result of a repair. `config` is that of the run's command, as far as it is known: changes since are
    in the state. A `restarted` run commits its candidates again from the start, without a model.
    Of all `seeds`, `kept` have candidates and `lost` had some (None if the state was lost as well).
    """

    config: Config
    damage: list[Damage]
    moved: list[str]
    restarted: bool
    seeds: int
    kept: int
    lost: int | None
    results_written: bool


def repair(run: RunDirectory, config: Config | None = None) -> Repair:
    """Repair a run directory that this command holds. `config` is the run's config, needed only if both
    run_state.json and config.yaml are unreadable.

    Good candidates stay, and the next run commits them again without a model. Raises BadInput if the config
    is unknown or its seeds can't be read.
    """
    damage = inspect(run)
    state, command = _state(run), config
    config = config or _saved_config(run, state, damage)
    config = replace(config, output=replace(config.output, dir=str(run.path)))
    scan = SeedFile(config.seeds).scan()
    committed = state["cursor"] if state is not None else None
    moved = [_move_aside(run, one.file) for one in damage if os.path.lexists(run.path / one.file)]
    if damage:
        remove_manifest(run.path)
    if restarted := state is None or _contradicts(run, state, damage):
        # All of candidates/ is salvaged under this state, and the memory bank is filled from it again.
        run.write_state(started_anew(state) if state is not None else first_state(config, scan))
    if damage:
        run.create(config, scan)
    kept = _seeds_kept(run)
    written = _write_missing_results(run, config, scan)
    lost = None if committed is None else _seeds_lost(config, committed if restarted else 0, kept)
    if command is None and state is not None and "given" in state:
        config = replace(typed(escaped(state["given"]), []), output=config.output)
    return Repair(config, damage, moved, restarted, scan.seeds, len(kept), lost, written)


def _saved_config(run: RunDirectory, state: RunState | None, damage: Sequence[Damage]) -> Config:
    """The newest intact copy of the config. Raises BadInput if there is none."""
    path = run.path / "config.yaml"
    try:
        config = from_yaml(path.read_text(encoding="utf-8"))
        known = state is None or is_of(state, config)
        if known and path.name not in {one.file for one in damage}:
            return config
        problem = "it was changed"
    except (OSError, UnicodeDecodeError, BadInput) as error:
        problem = one_line(str(error))
    if state is not None:
        return saved_config(escaped(state["config"]))
    raise BadInput(
        f"{run.path}: neither {STATE} nor config.yaml can be read; pass the config that the run was started "
        f"with: staragents repair {run.path} CONFIG [KEY=VALUE...] ({problem})"
    )


def _state(run: RunDirectory) -> RunState | None:
    """None if it is damaged or missing."""
    try:
        return read_sealed(state_file(run.path), RunState)
    except Unreadable:
        return None


def _contradicts(run: RunDirectory, state: RunState, damage: Sequence[Damage]) -> bool:
    """Whether the state refers to damaged files. Damaged results don't matter, as they are written again."""
    parts = {f"{run.candidates.name}/{shard['name']}" for shard in state["shards"]}
    return any(one.file in parts for one in damage)


def _move_aside(run: RunDirectory, name: str) -> str:
    """Move a file to damaged/ under a free name. Returns its new relative path."""
    run.sidelined.mkdir(exist_ok=True)
    target = run.sidelined / Path(name).name
    number = 1
    while os.path.lexists(target):
        number += 1
        target = run.sidelined / f"{Path(name).name}.{number}"
    os.replace(run.path / name, target)
    sync_folder(run.sidelined)
    sync_folder((run.path / name).parent)
    return str(target.relative_to(run.path))


def _seeds_kept(run: RunDirectory) -> set[str]:
    """Ids of the seeds with finished candidates, committed or salvaged."""
    state = run.state()
    assert state is not None
    files = [*run.shards(), *run.unnamed_shards(state["shards"])]
    return {seed_id for path in files for seed_id in seed_ids(path)}


def _seeds_lost(config: Config, committed: int, kept: set[str]) -> int:
    """How many of the first `committed` seeds, which had candidates, have none any more."""
    return sum(seed.seed_id not in kept for seed in islice(SeedFile(config.seeds).seeds(), committed))


def _write_missing_results(run: RunDirectory, config: Config, scan: SeedScan) -> bool:
    """Write missing results of a run with committed seeds."""
    state = run.state()
    whole = is_of_state(read_manifest(run.path), run.path)
    if state is None or not state["cursor"] or whole:
        return False
    write_results(run, config, scan)
    return True
