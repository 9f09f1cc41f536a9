"""State and manifest of run directories that a test creates or changes by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from staragents.analysis.one_pass import one_pass
from staragents.analysis.summary import RunTally
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.config.tree import as_dict
from staragents.run_directory.file_facts import facts_of
from staragents.run_directory.manifest import EXTRA, MANIFEST, RESULTS, STATE
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import RunState, Shard
from staragents.run_directory.sealed_json import write_sealed


def summarise(
    seeds: Iterable[list[Candidate]], run: dict[str, Any], config: Config | None = None
) -> dict[str, Any]:
    """The summary of these candidates and facts of their run."""
    tally = RunTally(config or Config())
    one_pass(seeds, tally)
    return tally.summary(run)


def write_state(folder: Path, shards: Sequence[Shard], seeds: int, config: Config | None = None) -> None:
    """The state of a run that has committed all its seeds to these shards."""
    RunDirectory(folder).write_state(
        RunState(
            format=1,
            fingerprint="0f3ab5",
            seeds_sha256="",
            seeds=seeds,
            prompts={},
            config=as_dict(config) if config is not None else {},
            cursor=seeds,
            shards=list(shards),
        )
    )


def write_manifest(folder: Path, seeds: int = 0) -> None:
    """The manifest of the current files, which a test may have changed."""
    files = {name: facts_of(folder / name) for name in (*RESULTS, *EXTRA, STATE) if (folder / name).exists()}
    write_sealed(folder / MANIFEST, {"format": 1, "seeds": seeds, "settings": {}, "files": files})
