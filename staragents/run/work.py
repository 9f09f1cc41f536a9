"""Determines the remaining work in a run directory for a config: seeds, results or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.data.seed_scan import SeedScan
from staragents.run.inspection import check_whole
from staragents.run.results import result_settings, write_results
from staragents.run.stopping import stopped_before
from staragents.run_directory.manifest import is_of_state, read_manifest
from staragents.run_directory.resume_check import check_resume
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import RunState
from staragents.run_directory.unwritable import unwritable


class Left(StrEnum):
    """Remaining work. `seeds` need models; `results` are written from saved files."""

    seeds = "seeds"
    results = "results"
    nothing = "nothing"


@dataclass(frozen=True)
class Work:
    """`config` is `given`, that of the command, with what was changed since the run began: its dotted names
    are `kept`. `done` is the number of committed seeds; `summary` is set if nothing is left to do."""

    config: Config
    given: Config
    scan: SeedScan
    run: RunDirectory
    done: int
    left: Left
    kept: tuple[str, ...] = ()
    summary: dict[str, Any] | None = None


def work_of(given: Config, scan: SeedScan) -> Work:
    """Compare a config with its run directory, reading all its files. Writes nothing. To write afterwards,
    the caller must already hold the directory.

    Raises BadInput if config and directory don't match or the directory is damaged.
    """
    run = RunDirectory(given.output.dir)
    check_whole(run)
    found, state = check_resume(run, given), run.state()
    if found is None or state is None:
        return Work(given, given, scan, run, 0, Left.seeds)
    config = found.config
    if state["seeds_sha256"] != scan.sha256:
        raise BadInput(f"seeds.path: {config.seeds.path} has changed since the run in {run.path} began")
    left = _left(config, scan, run, state)
    summary = run.summary() if left is Left.nothing else None
    return Work(config, given, scan, run, state["cursor"], left, found.kept, summary)


def finish(work: Work) -> dict[str, Any] | None:
    """Write missing results and return the summary of a run without remaining seeds; None if seeds remain.
    Needs no model.

    Raises RunFailed if the disk is full or unavailable.
    """
    if work.left is not Left.results:
        return work.summary
    try:
        work.run.create(work.config, work.scan)
        work.run.write_config(work.config, work.given)
        return write_results(work.run, work.config, work.scan)
    except OSError as error:
        raise unwritable(work.run.path, error) from error


def _left(config: Config, scan: SeedScan, run: RunDirectory, state: RunState) -> Left:
    if state["cursor"] < scan.seeds and stopped_before(config, state) is None:
        return Left.seeds
    manifest = read_manifest(run.path)
    if not is_of_state(manifest, run.path):
        return Left.results
    return Left.nothing if manifest["settings"] == result_settings(config) else Left.results
