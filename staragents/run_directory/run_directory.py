"""The run directory: append-only candidate shards, one state file, results with a manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from staragents.agents import prompt_hashes
from staragents.config import Config
from staragents.config.loading import as_dict, changed_keys, fingerprint, news, to_yaml
from staragents.errors import BadInput
from staragents.records import Candidate, candidates_from_table, candidates_table, stable_id
from staragents.run_directory.atomic_file import TEMPORARY, replacing, write_text
from staragents.run_directory.damage import Damage, damaged
from staragents.run_directory.file_facts import facts_of
from staragents.run_directory.manifest import (
    EXTRA,
    MANIFEST,
    RESULTS,
    STATE,
    read_manifest,
    remove_manifest,
    result_damage,
)
from staragents.run_directory.run_lock import LOCK, OWNER, WRITER, command_lock
from staragents.run_directory.run_state import RunState, Shard, first_state
from staragents.run_directory.salvage import FOLDER as SALVAGE
from staragents.run_directory.sealed_json import Unreadable, damage_of, read_sealed, write_sealed
from staragents.seeds.seed_file import SeedScan

SHARDS = "part-*.parquet"
SIDELINED = "damaged"
BEGUN = {
    LOCK,
    WRITER,
    OWNER,
    ".session.json",
    "config.yaml",
    "memory",
    "candidates",
    SALVAGE,
    SIDELINED,
    "export",
}
"""What may be there before state.json."""


class RunDirectory:
    """One run's folder. A shard, once its name is there, is complete and never changes."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.candidates = self.path / "candidates"
        self.memory = self.path / "memory"
        self.sidelined = self.path / SIDELINED

    @property
    def name(self) -> str:
        """Short id of this folder, for the names of its actors, apps and points on a server."""
        return stable_id(str(self.path.absolute()))[:8]

    # -- whose folder it is ------------------------------------------------------------------------------

    @contextmanager
    def claimed(self) -> Iterator[str]:
        """Hold the folder for this command, from the first look to the end; gives an id of this session.

        Raises BadInput if it is no run directory or can't be written to, RunFailed if another command has it.
        """
        self.check_ours()
        with command_lock(self.path) as session:
            yield session

    def check_ours(self) -> None:
        """Raises BadInput if the folder holds something, and that is no run."""
        try:
            present = sorted(path.name for path in self.path.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            raise BadInput(f"output.dir: expected a folder, {self.path}: {error.strerror}") from error
        strangers = [name for name in present if name not in BEGUN and not fnmatch(name, TEMPORARY)]
        if strangers and STATE not in present and not self.unnamed_shards():
            raise BadInput(
                f"output.dir: {self.path} is not empty and no run directory (it holds {strangers[0]!r})"
            )

    def check(self, config: Config) -> bool:
        """Whether there is something to resume for this config. Writes nothing.

        Raises BadInput if the folder belongs to another config or is not a run directory, if it is damaged or
        if `output.resume` forbids what is there.
        """
        self.check_ours()
        saved = self.state()
        resume = config.output.resume
        if saved is None:
            if resume == "must":
                raise BadInput(f"output.resume: nothing to resume in {self.path}")
            return False
        if resume == "never":
            raise BadInput(f"output.dir: {self.path} holds a run already and output.resume=never")
        if saved["fingerprint"] != fingerprint(config) and not news(saved["config"], as_dict(config)):
            changed = changed_keys(saved["config"], as_dict(config))
            raise BadInput(
                f"output.dir: {self.path} belongs to another config; changed: {', '.join(changed)}. "
                "Take another output.dir, the old values to resume, or --overwrite to throw the run away."
            )
        prompts = prompt_hashes(config)
        if edited := [key for key, text in saved["prompts"].items() if prompts[key] != text]:
            raise BadInput(
                f"output.dir: {self.path} was written with another text of {', '.join(edited)}. "
                "Take another output.dir, or the old text to resume."
            )
        return True

    def news(self, config: Config) -> list[str]:
        """Agents and models of `config` that the saved run did not have."""
        saved = self.state()
        return (news(saved["config"], as_dict(config)) or []) if saved is not None else []

    def create(self, config: Config, scan: SeedScan) -> None:
        """Write the resolved config and, of a new run, the first state: from then on it is resumed.

        Results of another config are no longer whole. Raises BadInput if the folder can't be written to.
        """
        try:
            self.candidates.mkdir(parents=True, exist_ok=True)
            text, path = to_yaml(config), self.path / "config.yaml"
            if not path.is_file() or path.read_bytes() != text.encode():
                remove_manifest(self.path)
                self.write(path.name, text)
            if self.state() is None:
                self.write_state(first_state(config, scan))
        except OSError as error:
            raise BadInput(f"output.dir: can't write to {self.path}: {error.strerror}") from error

    def discard(self) -> None:
        """Delete the run, on the user's word: the state first, so that nobody resumes what is half gone.

        Raises BadInput if the folder can't be written to.
        """
        try:
            for name in (MANIFEST, STATE, *RESULTS, *EXTRA):
                (self.path / name).unlink(missing_ok=True)
            for folder in (self.candidates, self.path / SALVAGE, self.memory, self.sidelined):
                if folder.is_dir():
                    shutil.rmtree(folder)
        except OSError as error:
            raise BadInput(f"--overwrite: can't delete {error.filename}: {error.strerror}") from error

    # -- what it says ------------------------------------------------------------------------------------

    def state(self) -> RunState | None:
        """The newest checkpoint, None before the run begins. Raises Damaged if it is not what was written, or
        gone from a folder that holds candidates."""
        try:
            state = read_sealed(self.path / STATE, RunState)
        except Unreadable as error:
            raise damaged(self.path, [damage_of(STATE, error)]) from error
        if state is None and (left := self.unnamed_shards()):
            raise damaged(self.path, [Damage(STATE, f"missing, beside {len(left)} files of candidates")])
        return state

    def write_state(self, state: RunState) -> None:
        """Raises OSError."""
        write_sealed(self.path / STATE, dict(state))

    def summary(self) -> dict[str, Any] | None:
        """What the last results say; None if there are none. Raises Damaged."""
        return self._read("summary.json")

    def results(self) -> dict[str, Any]:
        """The summary of results that are written completely.

        Raises BadInput if there are none or if a file of theirs is not what was written.
        """
        manifest, summary = read_manifest(self.path), self.summary()
        if manifest is None or summary is None:
            if self.state() is None:
                raise BadInput(f"{self.path}: no summary.json; expected the directory of a run")
            raise BadInput(
                f"{self.path}: no results yet, or they are not written completely; run the same command to "
                f"resume, or write those of what is finished: staragents repair {self.path}"
            )
        if found := result_damage(manifest, self.path, deep=False):
            raise damaged(self.path, found)
        return summary

    def diagnosis(self) -> dict[str, Any]:
        """What `staragents diagnose` found; {} if it was not asked since the run last went on."""
        found, summary = self._read("diagnosis.json"), self.summary()
        if found is None or summary is None or found["seeds"] != summary["funnel"]["finished"]:
            return {}
        return found

    # -- candidates --------------------------------------------------------------------------------------

    def shards(self) -> list[Path]:
        """The shards of committed seeds, in the order they were committed. Raises Damaged if one is gone."""
        state = self.state()
        paths = [self.candidates / shard["name"] for shard in state["shards"]] if state is not None else []
        if gone := [path for path in paths if not path.is_file()]:
            raise damaged(self.path, [Damage(str(path.relative_to(self.path)), "missing") for path in gone])
        return paths

    def unnamed_shards(self, named: Sequence[Shard] = ()) -> list[Path]:
        """Files of candidates that are not among those of the state, salvaged ones included."""
        names = {shard["name"] for shard in named}
        found = [path for path in sorted(self.candidates.glob(SHARDS)) if path.name not in names]
        return found + sorted((self.path / SALVAGE).glob("*.parquet"))

    def write_shard(self, name: str, candidates: list[Candidate]) -> Shard:
        """Add a shard; the state that names it comes after it. Raises OSError."""

        def parquet(path: Path) -> None:
            pq.write_table(candidates_table(candidates), path, compression="zstd")

        self.write_with(f"candidates/{name}", parquet)
        return Shard(name=name, **facts_of(self.candidates / name, len(candidates)))

    def read_shard(self, name: str) -> list[Candidate]:
        return candidates_from_table(pq.read_table(self.candidates / name))

    def seeds(self) -> Iterator[list[Candidate]]:
        """The candidates of one seed after the other, in commit order; a seed never spans two shards."""
        for shard in self.shards():
            group: list[Candidate] = []
            for candidate in self.read_shard(shard.name):
                if group and group[0].seed_id != candidate.seed_id:
                    yield group
                    group = []
                group.append(candidate)
            if group:
                yield group

    # -- writing -----------------------------------------------------------------------------------------

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        self.write(name, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    def write(self, name: str, text: str) -> None:
        """Replace a file as a whole: a reader, or a run after a kill, sees the old one or the new one."""
        write_text(self.path / name, text)

    def write_with(self, name: str, writer: Callable[[Path], object]) -> None:
        """Let `writer` fill a temporary file, then give it its name."""
        with self.writing(name) as temporary:
            writer(temporary)

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A temporary file that gets its name when the block ends, and is gone if the block fails."""
        return replacing(self.path / name)

    def remove_temporary(self) -> None:
        """Delete what a killed writer left behind."""
        for leftover in [*self.path.glob(TEMPORARY), *self.candidates.glob(TEMPORARY)]:
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
