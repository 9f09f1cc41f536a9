"""Tells a resumed run where its scores follow another rule than those that it saved."""

from __future__ import annotations

from collections.abc import Iterator

from staragents.config import Config, Template
from staragents.data.seed_file import SeedFile
from staragents.run_directory.run_directory import RunDirectory


def rule_notes(config: Config, run: RunDirectory) -> Iterator[str]:
    """One line for each rule that changed since the run began. Reads seeds only for a run of an earlier
    version."""
    state = run.state()
    if state is None or "inputs" in state or not run.unnamed_shards():
        return
    if config.scoring.template is Template.chat:
        return
    if any(turn.input for seed in SeedFile(config.seeds).seeds() for turn in seed.messages):
        yield (
            "this run was begun by an earlier version, which joined instruction and input by an empty line "
            "before scoring; from now on they have the published prompts of scoring.template="
            f"{config.scoring.template}, so IFDs of the {state['cursor']} seeds before and of those after "
            "are not comparable (--overwrite starts anew)"
        )
