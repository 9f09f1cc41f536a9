"""The run directory: append-only candidate shards, one small state file, atomic writes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from staragents.agents import prompt_hashes
from staragents.config import Config
from staragents.config.loading import as_dict, changed_keys, fingerprint, news, to_yaml
from staragents.errors import BadInput, RunFailed
from staragents.records import Candidate, candidates_from_table, candidates_table, stable_id

OWNER = ".owner.json"
UNFINISHED = {".lock", OWNER, ".session.json", "config.yaml", "memory", "candidates"}
"""What a run leaves that was killed before its first checkpoint."""


class RunDirectory:
    """One run's folder. A shard, once its name is there, is complete and never changes."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.candidates = self.path / "candidates"
        self.memory = self.path / "memory"

    @property
    def name(self) -> str:
        """Short id of this folder, for the names of its actors, apps and points on a server."""
        return stable_id(str(self.path.absolute()))[:8]

    def check(self, config: Config) -> bool:
        """Whether there is something to resume for this config. Writes nothing.

        Raises BadInput if the folder belongs to another config or is not a run directory, or if
        `output.resume` forbids what is there.
        """
        saved = self.state()
        resume = config.output.resume
        if saved is None:
            if resume == "must":
                raise BadInput(f"output.resume: nothing to resume in {self.path}")
            present = sorted(p.name for p in self.path.iterdir()) if self.path.is_dir() else []
            if strangers := [name for name in present if name not in UNFINISHED]:
                raise BadInput(
                    f"output.dir: {self.path} is not empty and no run directory (it holds {strangers[0]!r})"
                )
            return False
        if resume == "never":
            raise BadInput(f"output.dir: {self.path} holds a run already and output.resume=never")
        if saved["fingerprint"] != fingerprint(config) and not news(saved["config"], as_dict(config)):
            changed = changed_keys(saved["config"], as_dict(config))
            raise BadInput(
                f"output.dir: {self.path} belongs to another config; changed: {', '.join(changed)}. "
                "Take another output.dir, or the old values to resume."
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

    def create(self, config: Config, resumes: bool) -> None:
        """Make the folder and write the resolved config.

        Raises BadInput if it can't be written, RunFailed if another run has it.
        """
        try:
            if self.path.is_dir():
                # Before models are loaded, and before anything of a young run is taken for a leftover.
                self.lock(patience_s=0).release()
            if not resumes:
                # A run killed before its first checkpoint has finished nothing; its memory must not stay.
                shutil.rmtree(self.memory, ignore_errors=True)
                shutil.rmtree(self.candidates, ignore_errors=True)
            self.candidates.mkdir(parents=True, exist_ok=True)
            self.write("config.yaml", to_yaml(config))
        except OSError as error:
            raise BadInput(f"output.dir: can't write to {self.path}: {error.strerror}") from error

    def lock(self, patience_s: float = 10.0) -> FileLock:
        """Hold the folder for one writer; the system lets it go when the process ends, however it ends.

        Raises RunFailed with the owner if another process has it for `patience_s` longer.
        """
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=patience_s)
        except Timeout:
            raise RunFailed(f"output.dir: {self.path} is in use{self._owner()}") from None
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        self.write_json(OWNER, {"host": socket.gethostname(), "pid": os.getpid(), "since": since})
        return lock

    def _owner(self) -> str:
        found = self._read(OWNER)
        if found is None:
            return ""
        return (
            f" by process {found['pid']} on {found['host']} since {found['since']}; "
            f"see staragents status {self.path}"
        )

    def state(self) -> dict[str, Any] | None:
        """The newest snapshot, or None before the first."""
        return self._read("state.json")

    def summary(self) -> dict[str, Any] | None:
        return self._read("summary.json")

    def diagnosis(self) -> dict[str, Any]:
        """What `staragents diagnose` found; {} if it was not asked since the run last went on."""
        found, summary = self._read("diagnosis.json"), self.summary()
        if found is None or summary is None or found["seeds"] != summary["funnel"]["finished"]:
            return {}
        return found

    def shards(self) -> list[Path]:
        """All complete shards in the order they were committed."""
        return sorted(self.candidates.glob("part-*.parquet"))

    def write_shard(self, name: str, candidates: list[Candidate]) -> None:
        """Append a shard; the same name written twice holds the same work, so the later one stays."""

        def parquet(path: Path) -> None:
            pq.write_table(candidates_table(candidates), path, compression="zstd")

        self.write_with(f"candidates/{name}", parquet)

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

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        self.write(name, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    def write(self, name: str, text: str) -> None:
        """Replace a file as a whole: a reader, or a run after a kill, sees the old one or the new one."""
        self.write_with(name, lambda path: _write_synced(path, text))

    def write_with(self, name: str, writer: Callable[[Path], object]) -> None:
        """Let `writer` fill a temporary file, then give it its name."""
        with self.writing(name) as temporary:
            writer(temporary)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A temporary file that gets its name when the block ends, and is gone if the block fails."""
        target = self.path / name
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            yield temporary
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def remove_temporary(self) -> None:
        """Delete what a killed writer left behind."""
        for leftover in [*self.path.glob(".*.tmp"), *self.candidates.glob(".*.tmp")]:
            leftover.unlink(missing_ok=True)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except json.JSONDecodeError as error:
            raise BadInput(f"{self.path / name}: not JSON ({error.msg}, line {error.lineno})") from error


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
