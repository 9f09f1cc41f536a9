"""Results of a run or a score command, as tables for Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.run_directory.run_directory import RunDirectory

if TYPE_CHECKING:
    import datasets
    import pandas
    import polars


class Rows:
    """A Parquet or JSONL file, convertible to several libraries; the library must be installed."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def table(self) -> pa.Table:
        """All rows as an Arrow table."""
        if self.file.suffix == ".parquet":
            return pq.read_table(self.file)
        from pyarrow import json

        return json.read_json(self.file)

    def to_list(self) -> list[dict[str, Any]]:
        return self.table().to_pylist()

    def to_pandas(self) -> pandas.DataFrame:
        return self.table().to_pandas()

    def to_polars(self) -> polars.DataFrame:
        import polars

        frame = polars.from_arrow(self.table())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def to_datasets(self) -> datasets.Dataset:
        import datasets

        return datasets.Dataset(self.table())

    def __len__(self) -> int:
        return self.table().num_rows


@dataclass(frozen=True)
class Result:
    """A run directory and its summary.json. The conversions return the dataset; `candidates` has all
    candidates with scores, verdicts and reasons."""

    path: Path
    summary: dict[str, Any]

    @property
    def finished(self) -> bool:
        """False if the run was stopped; make the same call to resume."""
        return bool(self.summary["run"]["finished"])

    @property
    def dataset(self) -> Rows:
        return Rows(self.path / "dataset.parquet")

    @property
    def candidates(self) -> pa.Table:
        tables = [pq.read_table(shard) for shard in RunDirectory(self.path).shards()]
        # Shards of a version without reasoning get its null.
        return pa.concat_tables(tables, promote_options="permissive")

    @property
    def report(self) -> Path:
        """Path of the HTML report."""
        return self.path / "report.html"

    def to_pandas(self) -> pandas.DataFrame:
        return self.dataset.to_pandas()

    def to_polars(self) -> polars.DataFrame:
        return self.dataset.to_polars()

    def to_datasets(self) -> datasets.Dataset:
        return self.dataset.to_datasets()

    def to_list(self) -> list[dict[str, Any]]:
        return self.dataset.to_list()

    def __repr__(self) -> str:
        funnel, fake = self.summary["funnel"], self.summary["engine"] == "fake"
        return (
            f"{'FAKE ' if fake else ''}Result({str(self.path)!r}: {funnel['accepted']} of {funnel['seeds']} "
            f"seeds replaced, {funnel['drawn']} candidates)"
        )


class Scored(Rows):
    """The scored rows: the input's columns plus `target_ifd` and the other scores."""

    def __init__(self, file: Path, summary: dict[str, Any]) -> None:
        super().__init__(file)
        self.summary = summary
