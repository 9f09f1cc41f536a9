"""A column that says to which split a row belongs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from staragents.data.readers.raw_row import BadRow, RawRow
from staragents.data.readers.splits import HELD_OUT, KEYWORDS, TRAIN
from staragents.data.readers.table_values import column_values

COLUMN = "split"


class SplitColumn:
    """Counts the rows of each split of a file, by the names that `datasets` knows."""

    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()

    def add(self, rows: Sequence[RawRow | BadRow], table: pa.Table | None) -> None:
        """`table` has the same rows with all columns."""
        if table is None:
            values = [raw.value.get(COLUMN) for raw in rows if isinstance(raw, RawRow) and _has_it(raw)]
        else:
            values = column_values(table.column(COLUMN)) if COLUMN in table.column_names else []
        self._rows.update(
            KEYWORDS[name]
            for value in values
            if isinstance(value, str) and (name := value.lower()) in KEYWORDS
        )

    @property
    def note(self) -> str:
        """Empty unless held-out rows are read beside rows to train on."""
        found = [f"{name} ({self._rows[name]:,} rows)" for name in (TRAIN, *HELD_OUT) if self._rows[name]]
        if len(found) < 2 or not self._rows[TRAIN]:
            return ""
        return f"its column {COLUMN} names {', '.join(found)}; all are read, so remove what is held out"


def _has_it(raw: RawRow) -> bool:
    return isinstance(raw.value, dict) and COLUMN in raw.value
