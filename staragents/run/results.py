"""From shards to the files people open: written from what is saved, at any time and any number of times."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from staragents.config import Config
from staragents.dataset import write_dataset, write_quarantine
from staragents.dataset_card import write_card
from staragents.report.report import write_report
from staragents.report.saved_run import SavedRun
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
from staragents.seeds.seed_file import SeedFile, SeedScan
from staragents.summary import summarise


def result_settings(config: Config) -> dict[str, Any]:
    """The settings that decide how results are written, beside those that decide what the candidates are."""
    output = config.output
    return {"filters": asdict(config.filters), "output": {"title": output.title, "licence": output.licence}}


def write_results(run: RunDirectory, config: Config, scan: SeedScan) -> dict[str, Any]:
    """Write dataset, quarantine, summary, report, card and manifest of what is committed; returns the
    summary.

    Whoever calls holds the folder. Raises OSError, and BadInput if the seeds or an evaluation set are gone.
    """
    state = run.state()
    assert state is not None
    remove_manifest(run.path)
    written = write_dataset(run, config)
    quarantined = write_quarantine(run, SeedFile(config.seeds))
    summary = summarise(
        run.shards(),
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
        # All of it is committed by now.
        shutil.rmtree(run.path / SALVAGE, ignore_errors=True)
    return summary


@contextmanager
def rewriting(run: RunDirectory, *names: str) -> Iterator[None]:
    """Hold the folder while some of its results are written anew, and note what they are in the manifest.

    Raises RunFailed if another command has the folder, BadInput if its results are not whole.
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
