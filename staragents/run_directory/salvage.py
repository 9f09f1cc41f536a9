"""Finished candidates that are missing from the state: they are committed again without a model."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.base.candidate_schema import candidates_table, is_candidate_schema
from staragents.base.errors import PromptTooLong
from staragents.base.records import Candidate, Status
from staragents.files.atomic_file import replacing, sync_folder
from staragents.run_directory.damage import Damage
from staragents.run_directory.file_facts import CHANGED, facts_of
from staragents.run_directory.shard_file import read_candidates
from staragents.text.printable import one_line

FOLDER = "salvage"
EARLY = "early"
TOO_LONG = PromptTooLong.__name__
SUM_DIGITS = 8
"""Hexadecimal digits of a file's checksum at the end of its name."""


class Salvage:
    """The seeds in salvage/ by id. Takes about 0.2 kB of memory per seed, plus the candidates of the files
    with the next seeds.

    A run adds seeds that finished before an earlier one. A kill between writing a shard and its state leaves
    one more file; a repair leaves all good ones.
    """

    def __init__(self, folder: Path, pairs: Collection[str]) -> None:
        """`folder` is the run directory. Seeds with pairs that the run does not have are ignored."""
        self._folder = folder
        self._last_seed: dict[Path, str] = {}
        self._file_of: dict[str, Path] = {}
        self._read: dict[Path, dict[str, list[Candidate]]] = {}
        known = frozenset(pairs)
        for path in sorted((folder / FOLDER).glob("*.parquet")):
            columns = pq.read_table(path, columns=["seed_id", "pair"]).to_pydict()
            ids = dict.fromkeys(columns["seed_id"], path)
            for seed_id, pair in zip(columns["seed_id"], columns["pair"], strict=True):
                if pair not in known:
                    ids.pop(seed_id, None)
            self._file_of |= ids
            self._last_seed[path] = columns["seed_id"][-1] if columns["seed_id"] else ""

    def has(self, seed_id: str) -> bool:
        """Whether `take` returns candidates."""
        return seed_id in self._file_of

    def take(self, seed_id: str) -> list[Candidate] | None:
        """The seed's candidates in their state before the commit, returned once; None if there are none."""
        path = self._file_of.pop(seed_id, None)
        if path is None:
            return None
        if path not in self._read:
            self._read[path] = _by_seed(path)
        candidates = self._read[path].pop(seed_id)
        for candidate in candidates:
            _uncommit(candidate)
        return candidates

    def add(self, seeds: Sequence[Sequence[Candidate]]) -> None:
        """Save finished seeds, in the run's order, in a file of their own. Raises OSError."""
        candidates = [candidate for seed in seeds for candidate in seed]
        written = BytesIO()
        pq.write_table(candidates_table(candidates), written, compression="zstd")
        content = written.getvalue()
        target = _made(self._folder) / f"{EARLY}{_ending(hashlib.sha256(content).hexdigest())}"
        with replacing(target) as temporary:
            temporary.write_bytes(content)
        self._last_seed[target] = candidates[-1].seed_id

    def remove(self, committed: Collection[str]) -> None:
        """Delete the files whose last seed is among these: a file has its seeds in the order of their commit.
        Row numbers can't tell, as rows may be inserted between two starts. A file whose last seed an earlier
        start has committed stays until the run ends, as one that can't be deleted does."""
        for path in [path for path, last in self._last_seed.items() if last in committed]:
            with suppress(OSError):
                path.unlink()
            del self._last_seed[path]
            self._read.pop(path, None)


def is_settled(candidates: Sequence[Candidate]) -> bool:
    """Whether a finished seed is worth saving before its commit.

    One with a failed candidate, or on which the judge gave no readable verdict, is tried again after a kill:
    its cause may be what ended the run, such as dying engines or a wrong key. A prompt that is too long stays
    too long.
    """
    silent = any(candidate.unreadable for candidate in candidates)
    if silent and not any(candidate.has_verdict for candidate in candidates):
        return False
    return not any(candidate.failed and candidate.error_class != TOO_LONG for candidate in candidates)


def seed_ids(path: Path) -> list[str]:
    """The ids of the seeds in a candidate file."""
    ids: list[str] = pq.read_table(path, columns=["seed_id"])["seed_id"].unique().to_pylist()
    return ids


def set_aside(folder: Path, shards: Iterable[Path]) -> None:
    """Move shards that the state does not name to salvage/, to free their names."""
    for shard in (shard for shard in shards if shard.parent.name != FOLDER):
        target = _made(folder) / f"{shard.stem}{_ending(facts_of(shard)['sha256'])}"
        os.replace(shard, target)
        sync_folder(target.parent)
        sync_folder(shard.parent)


def unreadable(folder: Path, path: Path) -> Damage | None:
    """Damage to a candidate file that the state does not name, found by reading all of it. It is none if the
    file is gone: a run deletes those whose seeds are committed."""
    name = str(path.relative_to(folder))
    try:
        if path.parent.name == FOLDER and not path.name.endswith(_ending(facts_of(path)["sha256"])):
            return Damage(name, CHANGED)
        with pq.ParquetFile(path) as file:
            if not is_candidate_schema(file.schema_arrow):
                return Damage(name, "not a candidate file of this version")
            for _ in file.iter_batches():
                pass
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError) as error:
        reason = one_line(str(error))[:200]
        return Damage(name, f"damaged ({reason})")
    return None


def _made(folder: Path) -> Path:
    salvage = folder / FOLDER
    if not salvage.is_dir():
        salvage.mkdir()
        sync_folder(folder)
    return salvage


def _ending(sha256: str) -> str:
    return f"-{sha256[:SUM_DIGITS]}.parquet"


def _by_seed(path: Path) -> dict[str, list[Candidate]]:
    seeds: dict[str, list[Candidate]] = {}
    for candidate in read_candidates(path):
        seeds.setdefault(candidate.seed_id, []).append(candidate)
    return seeds


def _uncommit(candidate: Candidate) -> None:
    candidate.selected, candidate.reward, candidate.difficulty = False, None, None
    if candidate.status is Status.misaligned:
        candidate.reject_reason = None
