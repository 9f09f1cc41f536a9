"""Finished candidates that are missing from the state: they are committed again without a model."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.base.candidate_schema import is_candidate_schema
from staragents.base.records import Candidate, Status
from staragents.files.atomic_file import sync_folder
from staragents.run_directory.damage import Damage
from staragents.run_directory.file_facts import facts_of
from staragents.run_directory.shard_file import read_candidates
from staragents.text.printable import one_line

FOLDER = "salvage"


class Salvage:
    """The seeds in salvage/ by id. Takes about 0.2 kB of memory per seed, plus the candidates of one file.

    A kill between writing a shard and its state leaves one such file; a repair leaves all good ones.
    """

    def __init__(self, folder: Path, pairs: Collection[str]) -> None:
        """`folder` is the run directory. Seeds with pairs that the run does not have are ignored."""
        self._folder = folder / FOLDER
        self._pairs = frozenset(pairs)
        self._files: list[Path] = sorted(self._folder.glob("*.parquet"))
        self._file_of: dict[str, int] = {}
        for number, path in enumerate(self._files):
            self._file_of |= dict.fromkeys(seed_ids(path), number)
        self._read = -1
        self._seeds: dict[str, list[Candidate]] = {}

    def take(self, seed_id: str) -> list[Candidate] | None:
        """The seed's candidates in their state before the commit, returned once; None if there are none."""
        number = self._file_of.pop(seed_id, None)
        if number is None:
            return None
        if number != self._read:
            self._read, self._seeds = number, _by_seed(self._files[number])
        candidates = self._seeds.pop(seed_id)
        if not self._pairs.issuperset(candidate.pair for candidate in candidates):
            return None
        for candidate in candidates:
            _uncommit(candidate)
        return candidates


def seed_ids(path: Path) -> list[str]:
    """The ids of the seeds in a candidate file."""
    ids: list[str] = pq.read_table(path, columns=["seed_id"])["seed_id"].unique().to_pylist()
    return ids


def set_aside(folder: Path, shards: Iterable[Path]) -> None:
    """Move shards that the state does not name to salvage/, to free their names."""
    for shard in (shard for shard in shards if shard.parent.name != FOLDER):
        target = folder / FOLDER / f"{shard.stem}-{facts_of(shard)['sha256'][:8]}.parquet"
        target.parent.mkdir(exist_ok=True)
        os.replace(shard, target)
        sync_folder(target.parent)
        sync_folder(shard.parent)


def unreadable(folder: Path, path: Path) -> Damage | None:
    """Damage to a candidate file without a known checksum, found by reading all of it."""
    try:
        with pq.ParquetFile(path) as file:
            if not is_candidate_schema(file.schema_arrow):
                return Damage(str(path.relative_to(folder)), "not a candidate file of this version")
            for _ in file.iter_batches():
                pass
    except (pa.ArrowException, OSError) as error:
        reason = one_line(str(error))[:200]
        return Damage(str(path.relative_to(folder)), f"damaged ({reason})")
    return None


def _by_seed(path: Path) -> dict[str, list[Candidate]]:
    seeds: dict[str, list[Candidate]] = {}
    for candidate in read_candidates(path):
        seeds.setdefault(candidate.seed_id, []).append(candidate)
    return seeds


def _uncommit(candidate: Candidate) -> None:
    candidate.selected, candidate.reward, candidate.difficulty = False, None, None
    if candidate.status is Status.misaligned:
        candidate.reject_reason = None
