"""Selects and orders the output rows: the best fraction by one column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staragents.base.errors import BadInput

SORT_COLUMNS = {
    "ifd": "target_ifd",
    "ifd_loss_ratio": "target_ifd_loss_ratio",
    "ifd_bytes": "target_ifd_bytes",
    "nll_cond": "target_nll_cond",
    "nll_direct": "target_nll_direct",
    "larger_ifd": "larger_ifd",
    "gap": "ifd_gap",
}
LEFT_OUT = -1
_TOP = re.compile(r"(\d+(?:\.\d+)?)(%?)")


@dataclass(frozen=True, slots=True)
class Selection:
    """`sort_by` is a key of SORT_COLUMNS, highest first; `top` is a number of rows or a percentage such as
    `10%`."""

    sort_by: str | None = None
    top: str | None = None

    def __post_init__(self) -> None:
        """Raises BadInput if `top` is neither a number of rows nor a percentage."""
        if self.top is not None:
            self._count(1)

    def facts(self) -> dict[str, Any]:
        return {"--sort-by": self.sort_by, "--top": self.top}

    def output_indices(self, parts: Iterable[pa.Table], rows: int) -> np.ndarray | None:
        """The output index of each row, LEFT_OUT for omitted rows; None keeps all rows in input order.

        Highest value first; ties and rows without a value stay in input order. `top` only takes rows with a
        target IFD below 1, as above 1 prompt and answer don't match; without `sort_by` they stay in input
        order. Uses about 40 bytes per row while it runs and 8 afterwards.
        """
        if self.sort_by is None and self.top is None:
            return None
        column = SORT_COLUMNS[self.sort_by or "ifd"]
        keys, usable = np.empty(rows), np.empty(rows, dtype=bool)
        start = 0
        for part in parts:
            end = start + len(part)
            keys[start:end] = _floats(part[column])
            ifd = _floats(part["target_ifd"])
            usable[start:end] = ifd < 1 if self.top else pc.is_null(part["problem"]).to_numpy()
            start = end
        if self.top:
            usable &= ~np.isnan(keys)
        # NaN (no value) sorts last, and the sort is stable.
        order = np.argsort(-keys, kind="stable")
        order = order[usable[order]]
        if self.top:
            order = order[: self._count(rows)]
        if self.sort_by is None:
            order.sort()
        indices = np.full(rows, LEFT_OUT, dtype=np.int64)
        indices[order] = np.arange(len(order))
        return indices

    def _count(self, rows: int) -> int:
        found = _TOP.fullmatch(self.top or "")
        number = float(found[1]) if found else 0.0
        if not found or number <= 0 or (number > 100 if found[2] else not number.is_integer()):
            raise BadInput(
                f"--top: expected a number of rows such as 500 or a percentage such as 10%, got {self.top!r}"
            )
        return max(1, round(rows * number / 100)) if found[2] else int(number)


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    """As floats, with NaN for null."""
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
