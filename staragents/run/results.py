"""Writes the result files in one pass over the saved shards, at any time and any number of times."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from staragents.analysis.one_pass import one_pass
from staragents.analysis.saved_run import SavedRun
from staragents.analysis.summary import RunTally
from staragents.config import Config, Reasoning
from staragents.config.prices import Prices
from staragents.data.seed_file import SeedFile
from staragents.data.seed_scan import SeedScan
from staragents.evolution.drawn_pairs import drawn_pairs_of
from staragents.report.chart_data import ChartData
from staragents.report.dataset_card import write_card
from staragents.report.report import write_page
from staragents.run.dataset import writing_dataset
from staragents.run.held_out import write_held_out
from staragents.run.ledger import Ledger
from staragents.run.quarantine import writing_quarantine
from staragents.run_directory.file_facts import FileFacts, facts_of
from staragents.run_directory.manifest import (
    MANIFEST,
    PRICES,
    read_manifest,
    remove_manifest,
    write_manifest,
)
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import RunState
from staragents.run_directory.salvage import FOLDER as SALVAGE
from staragents.run_directory.sealed_json import write_sealed


def result_settings(config: Config) -> dict[str, Any]:
    """The settings that affect results but not candidates."""
    output, prices = config.output, Prices(config)
    money = {PRICES: {**prices.as_dict(), "currency": prices.currency}} if prices.known else {}
    return {
        "filters": asdict(config.filters),
        "output": {"title": output.title, "licence": output.licence},
        **money,
    }


def write_results(run: RunDirectory, config: Config, scan: SeedScan) -> dict[str, Any]:
    """Write dataset, quarantine, summary, report, card and manifest for all committed seeds; returns the
    summary.

    The caller must hold the folder. Raises OSError, and BadInput if the seeds or an evaluation set are
    missing.
    """
    state = run.state()
    assert state is not None
    remove_manifest(run.path)
    tally = RunTally(config)
    charts = ChartData.of(config, scan.seeds, state["cursor"], saved=drawn_pairs_of(state))
    with (
        writing_dataset(run, config) as dataset,
        writing_quarantine(run, SeedFile(config.seeds)) as quarantine,
    ):
        one_pass(run.seeds(), dataset, quarantine, tally, charts)
    write_held_out(run, config)
    summary = tally.summary(
        {
            **state.get("facts", {}),
            **_cost(config, state),
            "fallback": config.reward.fallback.value,
            "seeds": scan.seeds,
            "bad_rows": scan.bad_rows,
            "duplicates": scan.duplicates,
            **({"held_out": scan.held_out} if scan.held_out else {}),
            "dataset": asdict(dataset.written),
            "filters": asdict(config.filters),
            "quarantined": quarantine.rows,
            **(_about_models(config) if tally.thoughts_cut_off or tally.judge.unreadable else {}),
        }
    )
    run.write_json("summary.json", summary)
    saved = SavedRun.with_config(run, config)
    write_page(saved, charts)
    write_card(saved)
    shards = {
        f"{run.candidates.name}/{shard['name']}": FileFacts(
            rows=shard["rows"], bytes=shard["bytes"], sha256=shard["sha256"]
        )
        for shard in state["shards"]
    }
    if state["cursor"] == state["seeds"]:
        # All salvaged candidates are committed by now.
        shutil.rmtree(run.path / SALVAGE, ignore_errors=True)
    else:
        with suppress(OSError):
            (run.path / SALVAGE).rmdir()  # if it is empty
    write_manifest(run.path, state["cursor"], result_settings(config), shards)
    run.remove_temporary()
    return summary


def _cost(config: Config, state: RunState) -> dict[str, Any]:
    """Tokens and money by the prices of `config`, which may be newer than the state."""
    if "ledger" not in state or "seconds" not in state:
        return {}
    ledger = Ledger(config)
    ledger.restore(state["ledger"])
    return {"ledger": ledger.as_dict(state["seconds"])}


def _about_models(config: Config) -> dict[str, Any]:
    """What findings name: the model of the judge and of every agent, and models asked not to think."""
    found = {"judge": config.judge.model}
    for section, agents in (("instruction", config.agents.instruction), ("response", config.agents.response)):
        found |= {f"{section}.{name}": agent.model for name, agent in agents.items()}
    off = [name for name, model in config.models.items() if model.reasoning is Reasoning.off]
    return {"models_of": found, **({"reasoning_off": off} if off else {})}


@contextmanager
def rewriting(run: RunDirectory, *names: str) -> Iterator[None]:
    """Update the manifest after some results are rewritten in the block. The caller must hold the folder.

    Raises BadInput if its results are incomplete.
    """
    run.results()
    manifest = read_manifest(run.path)
    assert manifest is not None
    remove_manifest(run.path)
    try:
        yield
    finally:
        # Also after an error or Ctrl-C: files are replaced as wholes, so each is the new one or the old one.
        for name in names:
            if (run.path / name).exists():
                manifest["files"][name] = facts_of(run.path / name)
        write_sealed(run.path / MANIFEST, dict(manifest))
