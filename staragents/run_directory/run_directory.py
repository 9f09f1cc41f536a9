"""The run directory: append-only candidate shards, one state file, results with a manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from fnmatch import fnmatch
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from staragents.base.candidate_schema import candidates_table
from staragents.base.errors import BadInput
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.data.seed_scan import SeedScan
from staragents.files.atomic_file import TEMPORARY, replacing, sync, write_json, write_text
from staragents.run_directory.damage import Damage, damaged
from staragents.run_directory.file_facts import facts_of
from staragents.run_directory.manifest import (
    CANDIDATES,
    EARLIER_STATE,
    EXTRA,
    MANIFEST,
    RESULTS,
    STATE,
    Manifest,
    read_manifest,
    remove_manifest,
    result_damage,
    state_file,
)
from staragents.run_directory.run_lock import LOCK, OWNER, WRITER, command_lock
from staragents.run_directory.run_name import at_home, name_of, new_name
from staragents.run_directory.run_state import RunState, Shard, first_state, with_config
from staragents.run_directory.salvage import FOLDER as SALVAGE
from staragents.run_directory.sealed_json import Unreadable, damage_of, read_sealed, write_sealed
from staragents.run_directory.shard_file import read_candidates
from staragents.run_directory.unwritable import unwritable
from staragents.validation.loading import to_yaml

SHARDS = "part-*.parquet"
SIDELINED = "damaged"
SESSION = ".session.json"
"""Holds the address of the Ray that a run is on; exists while its driver runs."""
BEGUN = {
    LOCK,
    WRITER,
    OWNER,
    SESSION,
    "config.yaml",
    "memory",
    "candidates",
    SALVAGE,
    SIDELINED,
    "export",
}
"""Names that may exist before the state."""


class RunDirectory:
    """A run's folder. A shard is complete once it has its final name, and never changes."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.candidates = self.path / CANDIDATES
        self.memory = self.path / "memory"
        self.sidelined = self.path / SIDELINED

    @property
    def name(self) -> str:
        """Short id of the run, used in the names of actors and apps and in the ids of points on a server. It
        stays the same if the folder is moved."""
        try:
            return name_of(self.path, self.state())
        except BadInput:  # whoever reads more of a damaged state says so
            return name_of(self.path, None)

    # -- ownership ---------------------------------------------------------------------------------------

    @contextmanager
    def claimed(self) -> Iterator[str]:
        """Hold the folder for this command until the block ends; yields the session id.

        Raises BadInput if it is not a run directory or not writable, RunFailed if another command holds it.
        """
        self.check_ours()
        with command_lock(self.path) as session:
            yield session

    def check_ours(self) -> None:
        """Raises BadInput if the folder is neither empty nor a run directory."""
        try:
            present = sorted(path.name for path in self.path.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            raise BadInput(f"output.dir: expected a folder, {self.path}: {error.strerror}") from error
        strangers = [name for name in present if name not in BEGUN and not fnmatch(name, TEMPORARY)]
        if strangers and not {STATE, EARLIER_STATE} & set(present) and not self.unnamed_shards():
            raise BadInput(
                f"output.dir: {self.path} is neither empty nor a run directory (it contains {strangers[0]!r})"
            )

    def create(self, config: Config, scan: SeedScan, name: str | None = None) -> None:
        """Write the resolved config and, for a new run, the first state, which makes it resumable. A run
        whose folder was copied gets a new name. `name`: of a new run, as `discard` returns it.

        Results of a different config become incomplete. Raises BadInput if a new run can't be written to the
        folder, RunFailed for one that has begun.
        """
        state = self.state()
        new = state is None
        try:
            self.candidates.mkdir(parents=True, exist_ok=True)
            self._write_config(to_yaml(config))
            named = at_home(self.path, state or {**first_state(config, scan), "name": name or new_name()})
            if named is not state:
                self.write_state(named)
        except OSError as error:
            if new:
                raise BadInput(f"output.dir: can't write to {self.path}: {error.strerror}") from error
            raise unwritable(self.path, error) from error

    def _write_config(self, text: str) -> None:
        """Another config makes the results incomplete, but only once it is on disk."""
        path = self.path / "config.yaml"
        if path.is_file() and path.read_bytes() == text.encode():
            return
        with self.writing(path.name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
            sync(temporary)
            remove_manifest(self.path)

    def discard(self) -> str | None:
        """Delete the run, on the user's request: the state first, so that a partly deleted run is not
        resumed.

        Returns the name for the run that takes its place, which then owns its points on a memory server; None
        if there is none or it is not known. Raises BadInput if the folder can't be written to.
        """
        name = self._name_to_keep()
        try:
            for file in (MANIFEST, EARLIER_STATE, STATE, *RESULTS, *EXTRA):
                (self.path / file).unlink(missing_ok=True)
            for folder in (self.candidates, self.path / SALVAGE, self.memory, self.sidelined):
                if folder.is_dir():
                    shutil.rmtree(folder)
        except OSError as error:
            raise BadInput(f"--overwrite: can't delete {error.filename}: {error.strerror}") from error
        return name

    def _name_to_keep(self) -> str | None:
        """The run's name, unless it is that of another folder, of which this one is a copy."""
        try:
            state = self.state()
        except BadInput:  # its name can't be read
            return None
        return at_home(self.path, state)["name"] if state is not None else None

    # -- state and results -------------------------------------------------------------------------------

    def state(self) -> RunState | None:
        """The newest checkpoint, or None before the run begins. Raises Damaged if it is damaged, or missing
        from a folder with candidates."""
        path = state_file(self.path)
        try:
            state = read_sealed(path, RunState)
        except Unreadable as error:
            raise damaged(self.path, [damage_of(path.name, error)]) from error
        if state is None and (left := self.unnamed_shards()):
            raise damaged(self.path, [Damage(STATE, f"missing, with {len(left)} candidate files present")])
        return state

    def write_state(self, state: RunState) -> None:
        """Raises OSError."""
        write_sealed(self.path / STATE, dict(state))
        (self.path / EARLIER_STATE).unlink(missing_ok=True)

    def write_config(self, config: Config, given: Config) -> None:
        """Replace the config, and that of the command, in the saved state. Raises OSError."""
        state = self.state()
        assert state is not None
        self.write_state(with_config(state, config, given))

    def summary(self) -> dict[str, Any] | None:
        """The summary of the last results, or None. Raises Damaged."""
        return self._read("summary.json")

    def results(self) -> dict[str, Any]:
        """The summary of complete results.

        Raises BadInput if there are none or if one of their files is damaged.
        """
        manifest, summary = read_manifest(self.path), self.summary()
        if manifest is None or summary is None:
            raise self.incomplete()
        if found := result_damage(manifest, self.path, deep=False):
            raise damaged(self.path, found)
        return summary

    def incomplete(self) -> BadInput:
        """What to raise where complete results are missing."""
        if self.state() is None:
            return BadInput(f"{self.path}: no summary.json; expected the directory of a run")
        return BadInput(
            f"{self.path}: no complete results yet; run the same command to resume, or write the results of "
            f"the finished seeds: staragents repair {self.path}"
        )

    def diagnosis(self) -> dict[str, Any]:
        """The findings of `staragents diagnose`; {} if the run continued since."""
        found, summary = self._read("diagnosis.json"), self.summary()
        if found is None or summary is None or found["seeds"] != summary["funnel"]["finished"]:
            return {}
        return found

    # -- candidates --------------------------------------------------------------------------------------

    def shards(self) -> list[Path]:
        """The shards of committed seeds, in commit order. Raises Damaged if one is missing."""
        state = self.state()
        paths = [self.candidates / shard["name"] for shard in state["shards"]] if state is not None else []
        if gone := [path for path in paths if not path.is_file()]:
            raise damaged(self.path, [Damage(str(path.relative_to(self.path)), "missing") for path in gone])
        return paths

    def unnamed_shards(self, named: Sequence[Shard] = ()) -> list[Path]:
        """Candidate files that the state does not name, including salvaged ones."""
        names = {shard["name"] for shard in named}
        found = [path for path in sorted(self.candidates.glob(SHARDS)) if path.name not in names]
        return found + sorted((self.path / SALVAGE).glob("*.parquet"))

    def write_shard(self, name: str, candidates: list[Candidate]) -> Shard:
        """Add a shard. Write the state that names it afterwards. Raises OSError."""
        with self.writing(f"candidates/{name}") as temporary:
            pq.write_table(candidates_table(candidates), temporary, compression="zstd")
        return Shard(name=name, **facts_of(self.candidates / name, len(candidates)))

    def seeds(self, results: Manifest | None = None) -> Iterator[list[Candidate]]:
        """The candidates of each seed, streamed, in commit order, which is that of the seed file. A seed
        never spans two shards. `results`: only of the seeds in them, without those that the run has committed
        since."""
        shards = self.shards()
        if results is not None:
            shards = [path for path in shards if f"{CANDIDATES}/{path.name}" in results["files"]]
        for shard in shards:
            for _, candidates in groupby(read_candidates(shard), key=attrgetter("seed_id")):
                yield list(candidates)

    # -- writing -----------------------------------------------------------------------------------------

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        write_json(self.path / name, value)

    def write(self, name: str, text: str) -> None:
        """Atomically replace a file: readers and resumed runs see either the old one or the new one."""
        write_text(self.path / name, text)

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A temporary file that is renamed when the block ends, and deleted if the block fails."""
        return replacing(self.path / name)

    def remove_temporary(self) -> None:
        """Delete temporary files of killed writers."""
        for folder in (self.path, self.candidates, self.path / SALVAGE):
            for leftover in list(folder.glob(TEMPORARY)):
                leftover.unlink(missing_ok=True)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            value = json.loads((self.path / name).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise damaged(self.path, [Damage(name, f"can't be read: {error.strerror}")]) from error
        except (ValueError, RecursionError) as error:
            raise damaged(self.path, [Damage(name, f"damaged, not JSON ({error})")]) from error
        if not isinstance(value, dict):
            raise damaged(self.path, [Damage(name, "damaged, expected a JSON object")])
        return value
