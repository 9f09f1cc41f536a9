"""Inspects the files of a run for damage."""

from __future__ import annotations

from staragents.run_directory.damage import Damage, damaged
from staragents.run_directory.file_facts import mismatch
from staragents.run_directory.manifest import (
    MANIFEST,
    STATE,
    Manifest,
    is_of_state,
    result_damage,
    state_file,
)
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import RunState
from staragents.run_directory.salvage import unreadable
from staragents.run_directory.sealed_json import Unreadable, damage_of, read_sealed


def check_whole(run: RunDirectory, deep: bool = True) -> None:
    """Raises Damaged with every file that differs from what the run wrote."""
    if found := inspect(run, deep):
        raise damaged(run.path, found)


def inspect(run: RunDirectory, deep: bool = True) -> list[Damage]:
    """All damage, in dependency order of the files. `deep` reads all files; otherwise only small files are
    read. Sizes are always compared."""
    path = state_file(run.path)
    try:
        state = read_sealed(path, RunState)
    except Unreadable as error:
        return [damage_of(path.name, error), *_unnamed(run, None, deep)]
    found = _unnamed(run, state, deep)
    if state is None:
        left = run.unnamed_shards()
        return [Damage(STATE, f"missing, with {len(left)} candidate files present"), *found] if left else []
    for shard in state["shards"]:
        if what := mismatch(run.candidates / shard["name"], shard, deep):
            found.append(Damage(f"{run.candidates.name}/{shard['name']}", what))
    return found + _results(run, deep)


def _unnamed(run: RunDirectory, state: RunState | None, deep: bool) -> list[Damage]:
    if not deep:
        return []
    paths = run.unnamed_shards(state["shards"] if state is not None else ())
    return [damage for path in paths if (damage := unreadable(run.path, path)) is not None]


def _results(run: RunDirectory, deep: bool) -> list[Damage]:
    manifest: Manifest | None
    try:
        manifest = read_sealed(run.path / MANIFEST, Manifest)
    except Unreadable as error:
        return [damage_of(MANIFEST, error)]
    if not is_of_state(manifest, run.path):
        return []  # The run writes them again when it ends or stops.
    return result_damage(manifest, run.path, deep)
