"""Writes the result files from saved shards. Can run at any time and any number of times."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from staragents.analysis.saved_run import SavedRun
from staragents.analysis.summary import summarise
from staragents.config import Config
from staragents.data.seed_file import SeedFile, SeedScan
from staragents.report.dataset_card import write_card
from staragents.report.report import write_report
from staragents.run.dataset import write_dataset, write_quarantine
from staragents.run_directory.file_facts import FileFacts, facts_of
from staragents.run_directory.manifest import (
    MANIFEST,
    read_manifest,
    remove_manifest,
    write_manifest,
)
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.salvage import FOLDER as SALVAGE
from staragents.run_directory.sealed_json import write_sealed


def result_settings(config: Config) -> dict[str, Any]:
    """The settings that affect results but not candidates."""
    output = config.output
    return {"filters": asdict(config.filters), "output": {"title": output.title, "licence": output.licence}}


def write_results(run: RunDirectory, config: Config, scan: SeedScan) -> dict[str, Any]:
    """Write dataset, quarantine, summary, report, card and manifest for all committed seeds; returns the
    summary.

    The caller must hold the folder. Raises OSError, and BadInput if the seeds or an evaluation set are
    missing.
    """
    state = run.state()
    assert state is not None
    remove_manifest(run.path)
    written = write_dataset(run, config)
    quarantined = write_quarantine(run, SeedFile(config.seeds))
    summary = summarise(
        run.seeds(),
        {
            **state.get("facts", {}),
            "fallback": config.reward.fallback.value,
            "seeds": scan.seeds,
            "bad_rows": scan.bad_rows,
            "duplicates": scan.duplicates,
            "dataset": asdict(written),
            "filters": asdict(config.filters),
            "quarantined": quarantined,
        },
    )
    run.write_json("summary.json", summary)
    saved = SavedRun.with_config(run, config)
    write_report(saved)
    write_card(saved)
    shards = {
        f"{run.candidates.name}/{shard['name']}": FileFacts(
            rows=shard["rows"], bytes=shard["bytes"], sha256=shard["sha256"]
        )
        for shard in state["shards"]
    }
    write_manifest(run.path, state["cursor"], result_settings(config), shards)
    run.remove_temporary()
    if state["cursor"] == state["seeds"]:
        # All salvaged candidates are committed by now.
        shutil.rmtree(run.path / SALVAGE, ignore_errors=True)
    return summary


@contextmanager
def rewriting(run: RunDirectory, *names: str) -> Iterator[None]:
    """Hold the folder while some of its results are rewritten, and update the manifest.

    Raises RunFailed if another command holds the folder, BadInput if its results are incomplete.
    """
    with run.claimed():
        run.results()
        manifest = read_manifest(run.path)
        assert manifest is not None
        remove_manifest(run.path)
        yield
        for name in names:
            manifest["files"][name] = facts_of(run.path / name)
        write_sealed(run.path / MANIFEST, dict(manifest))
