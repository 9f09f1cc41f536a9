"""Streams the samples of a run, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from staragents.analysis.saved_run import SavedRun
from staragents.base.errors import BadInput
from staragents.base.messages import REASONING, conversation
from staragents.export.verdicts import Decided, decided, opinions, preferences
from staragents.filters.row_filters import RowFilters

ROWS_PER_BATCH = 256
MadeOf = Callable[[list[Decided]], Iterator[Any]]
VERDICTS: dict[str, MadeOf] = {"dpo": preferences, "kto": opinions}
"""The formats that are built from verdicts."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """`sample` is the input of a format's `to_row`; `location` is file:row, for messages."""

    seed_id: str
    location: str
    sample: Any


class Samples:
    """The samples for a format: rows of the dataset, or verdicts on candidates for dpo and kto.

    The dataset is already filtered; both sides of a verdict must pass the run's filters.
    """

    def __init__(self, run: SavedRun, format_name: str) -> None:
        """Raises BadInput if an evaluation set of the filters is missing."""
        self._run = run
        self._made_of = VERDICTS.get(format_name)
        self._filters = RowFilters.of_text(run.config.filters) if self._made_of else None

    @property
    def filtered(self) -> int:
        """Number of verdict sides dropped so far."""
        return self._filters.filtered.total() if self._filters else 0

    @property
    def has_reasoning(self) -> bool:
        """Whether any turn of the files has reasoning. Reads only their metadata."""
        if self._made_of is None:
            return _has_reasoning(self._run.folder.path / "dataset.parquet")
        return any(map(_has_reasoning, self._run.folder.shards()))

    def __iter__(self) -> Iterator[Sampled]:
        """Raises BadInput if the run wrote no dataset."""
        if self._made_of is None or self._filters is None:
            return _from_dataset(self._run)
        return _from_verdicts(self._run, self._made_of, self._filters)


def _has_reasoning(path: Path) -> bool:
    try:
        file = pq.read_metadata(path)
    except (OSError, ValueError):
        return False  # reported when it is read
    columns = (
        file.row_group(g).column(c) for g in range(file.num_row_groups) for c in range(file.num_columns)
    )
    return any(
        column.statistics is None or column.statistics.num_values > 0
        for column in columns
        if column.path_in_schema.endswith(f".{REASONING}")
    )


def _from_dataset(run: SavedRun) -> Iterator[Sampled]:
    path = run.folder.path / "dataset.parquet"
    try:
        # With pre_buffer, the default, all row groups stay in memory.
        file = pq.ParquetFile(path, pre_buffer=False)
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


def _from_verdicts(run: SavedRun, made_of: MadeOf, filters: RowFilters) -> Iterator[Sampled]:
    for candidates in run.folder.seeds():
        seed = candidates[0]
        verdicts = list(decided(candidates, run.config))
        sides = dict.fromkeys(side for verdict in verdicts for side in (verdict.winner, verdict.loser))
        dropped = {side for side in sides if filters.look(side).dropped_by is not None}
        passed = [v for v in verdicts if v.winner not in dropped and v.loser not in dropped]
        for sample in made_of(passed):
            yield Sampled(seed.seed_id, f"{run.folder.path}:{seed.seed_row}", sample)
