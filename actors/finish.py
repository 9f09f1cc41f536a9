"""The last step of a run: from shards to the files people open."""

from __future__ import annotations

from typing import Any

from staragents.config import Config
from staragents.dataset import write_dataset, write_quarantine
from staragents.dataset_card import write_card
from staragents.report.report import write_report
from staragents.run_directory import RunDirectory
from staragents.seeds.seed_file import SeedFile, SeedScan
from staragents.summary import summarise


def write_results(run: RunDirectory, config: Config, scan: SeedScan, facts: dict[str, Any]) -> dict[str, Any]:
    """Write dataset, quarantine, summary, report and card of what is committed; returns the summary."""
    seeds = SeedFile(config.seeds)
    rows = write_dataset(run, config.reward.fallback)
    quarantined = write_quarantine(run, seeds)
    summary = summarise(
        run.shards(),
        {
            **facts,
            "fallback": config.reward.fallback.value,
            "seeds": scan.seeds,
            "bad_rows": scan.bad_rows,
            "duplicates": scan.duplicates,
            "dataset_rows": rows,
            "quarantined": quarantined,
        },
    )
    run.write_json("summary.json", summary)
    write_report(run.path)
    write_card(run.path)
    return summary
