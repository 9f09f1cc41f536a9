"""Writes the seeds that a run leaves out, for evaluation."""

from __future__ import annotations

from staragents.agents.kept_reasoning import keeps_reasoning
from staragents.base.messages import as_dicts
from staragents.config import Config
from staragents.data.row_file import RowFile
from staragents.data.seed_file import SeedFile
from staragents.run.dataset import DATASET_SCHEMA
from staragents.run_directory.run_directory import RunDirectory

HELD_OUT = "held_out.jsonl"


def write_held_out(run: RunDirectory, config: Config) -> None:
    """Write held_out.jsonl with the columns of the dataset, if `seeds.hold_out` is set.

    Reasoning is kept or dropped as in the dataset. Raises OSError, and BadInput if the seeds are missing.
    """
    if not config.seeds.hold_out:
        return
    nothing = dict.fromkeys(DATASET_SCHEMA.names)
    with run.writing(HELD_OUT) as path, RowFile(path, DATASET_SCHEMA, ".jsonl") as file:
        for seed in SeedFile(config.seeds).held_out():
            messages = (seed if keeps_reasoning(config) else seed.without_reasoning).messages
            known = {"messages": as_dicts(messages), "seed_id": seed.seed_id, "source": "seed", "flags": []}
            file.add({**nothing, **known})
