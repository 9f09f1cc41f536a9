"""The last step of a run: from shards to the files people open."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from staragents.config import Config
from staragents.config.loading import to_yaml
from staragents.dataset import write_dataset, write_quarantine
from staragents.dataset_card import write_card
from staragents.report.report import write_report
from staragents.run_directory import RunDirectory
from staragents.seeds.seed_file import SeedFile, SeedScan
from staragents.summary import summarise


def write_results(run: RunDirectory, config: Config, scan: SeedScan, facts: dict[str, Any]) -> dict[str, Any]:
    """Write dataset, quarantine, summary, report and card of what is committed; returns the summary."""
    seeds = SeedFile(config.seeds)
    written = write_dataset(run, config)
    quarantined = write_quarantine(run, seeds)
    summary = summarise(
        run.shards(),
        {
            **facts,
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
    write_report(run.path)
    write_card(run.path)
    return summary


def write_filtered_again(run: RunDirectory, config: Config, scan: SeedScan) -> dict[str, Any] | None:
    """The results of a finished run whose filters are others now; None if they are not. Asks no model.

    Raises RunFailed if another process has the folder.
    """
    summary = run.summary() or {}
    if summary.get("run", {}).get("filters") == asdict(config.filters):
        return None
    lock = run.lock()
    try:
        run.write("config.yaml", to_yaml(config))
        return write_results(run, config, scan, summary["run"])
    finally:
        lock.release()
