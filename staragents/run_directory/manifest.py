"""manifest.json: all files of a run with complete results, with size, rows and checksum."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeGuard

import pyarrow.parquet as pq

from staragents.base.digest import digest_of
from staragents.run_directory.damage import Damage, damaged
from staragents.run_directory.file_facts import FileFacts, facts_of, mismatch
from staragents.run_directory.sealed_json import Unreadable, damage_of, read_sealed, write_sealed

MANIFEST = "manifest.json"
STATE = "run_state.json"
EARLIER_STATE = "state.json"
"""The name up to version 0.1.0. `datasets` refuses to load a folder with such a file."""
Format = Literal[1]
"""Increment it when the meaning of a key changes."""
FORMAT: Format = 1
CANDIDATES = "candidates"
"""The folder of shards."""
DATASET = "dataset.parquet"
RESULTS = (
    "config.yaml", DATASET, "dataset.jsonl", "filtered.parquet", "quarantine.parquet",
    "summary.json", "report.html", "README.md",
)  # fmt: skip
"""Files of every finished run besides candidates and state."""
EXTRA = ("diagnosis.json", "held_out.jsonl")
"""Result files of some runs."""
PRICES = "prices"
"""The settings that change no row of the results."""
INTERPRETED = ("config.yaml", "summary.json", "diagnosis.json")
"""Small files that other commands read, so their content is always checked."""


class Manifest(TypedDict):
    """`seeds` is the number of committed seeds in the results; `settings` are the settings that affect
    them."""

    format: Format
    seeds: int
    settings: dict[str, Any]
    files: dict[str, FileFacts]


def state_file(folder: Path) -> Path:
    """The state of a run, under its earlier name if an earlier version wrote it last."""
    state, earlier = folder / STATE, folder / EARLIER_STATE
    return earlier if os.path.lexists(earlier) and not os.path.lexists(state) else state


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest, or None if the results are missing or incomplete. Raises Damaged."""
    try:
        return read_sealed(folder / MANIFEST, Manifest)
    except Unreadable as error:
        raise damaged(folder, [damage_of(MANIFEST, error)]) from error


def remove_manifest(folder: Path) -> None:
    """Mark the results as incomplete. Call it before rewriting the first one."""
    (folder / MANIFEST).unlink(missing_ok=True)


def write_manifest(folder: Path, seeds: int, settings: dict[str, Any], shards: dict[str, FileFacts]) -> None:
    """Mark the results as complete, after the last one is written. `shards` are the state's, by relative
    path. Raises OSError."""
    files = dict(shards)
    for name in (state_file(folder).name, *RESULTS, *EXTRA):
        path = folder / name
        if name not in EXTRA or path.exists():
            files[name] = facts_of(path, _rows(path))
    write_sealed(folder / MANIFEST, {"format": FORMAT, "seeds": seeds, "settings": settings, "files": files})


def is_of_state(manifest: Manifest | None, folder: Path) -> TypeGuard[Manifest]:
    """Whether there are results and they belong to the newest checkpoint, not to an earlier stop."""
    if manifest is None:
        return False
    state = state_file(folder)
    facts = manifest["files"].get(state.name)
    return facts is not None and mismatch(state, facts, deep=True) is None


def results_digest(manifest: Manifest) -> str:
    """Checksum of the candidates and the dataset in these results. It changes if the run continues or is
    repeated, and not if a report or a diagnosis is written again, or prices change."""
    files = manifest["files"].items()
    decisive = [
        [name, facts["sha256"]]
        for name, facts in files
        if name == DATASET or name.startswith(f"{CANDIDATES}/")
    ]
    settings = {name: value for name, value in manifest["settings"].items() if name != PRICES}
    return digest_of([manifest["seeds"], settings, sorted(decisive)])


def result_damage(manifest: Manifest, folder: Path, deep: bool) -> list[Damage]:
    """Damage to the result files; reads large ones only if `deep`. Ignores state and shards, which change
    when the run resumes."""
    found = []
    for name in (name for name in manifest["files"] if name in RESULTS or name in EXTRA):
        what = mismatch(folder / name, manifest["files"][name], deep or name in INTERPRETED)
        if what is not None:
            found.append(Damage(name, what))
    return found


def _rows(path: Path) -> int | None:
    if path.suffix == ".parquet":
        return int(pq.read_metadata(path).num_rows)
    if path.suffix == ".jsonl":
        with path.open("rb") as lines:
            return sum(1 for _ in lines)
    return None
