"""The samples of a run, read one seed after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from staragents.errors import BadInput
from staragents.export.verdicts import decided, opinions, preferences
from staragents.messages import conversation
from staragents.report.saved_run import SavedRun

ROWS_PER_BATCH = 256


@dataclass(frozen=True, slots=True)
class Sampled:
    """`sample` is what a format's `to_row` takes; `place` is file:row, for messages."""

    seed_id: str
    place: str
    sample: Any


def samples(run: SavedRun, format_name: str) -> Iterator[Sampled]:
    """What the format is made of: rows of the dataset, or the verdicts on candidates for dpo and kto.

    Raises BadInput if the run wrote no dataset.
    """
    if format_name == "dpo":
        return _from_verdicts(run, preferences)
    if format_name == "kto":
        return _from_verdicts(run, opinions)
    return _from_dataset(run)


def _from_dataset(run: SavedRun) -> Iterator[Sampled]:
    path = run.folder.path / "dataset.parquet"
    try:
        file = pq.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path}: expected the dataset of a run that ended or was stopped, got {error}"
        ) from error
    with file:
        number = 0
        for batch in file.iter_batches(batch_size=ROWS_PER_BATCH, columns=["messages", "seed_id"]):
            for row in batch.to_pylist():
                number += 1
                yield Sampled(row["seed_id"], f"{path}:{number}", conversation(row["messages"]))


def _from_verdicts(run: SavedRun, made_of: Any) -> Iterator[Sampled]:
    for candidates in run.folder.seeds():
        seed = candidates[0]
        for sample in made_of(list(decided(candidates, run.config))):
            yield Sampled(seed.seed_id, f"{run.folder.path}:{seed.seed_row}", sample)
