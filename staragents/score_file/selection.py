"""Which rows come out, and in which order: the best share by one column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staragents.errors import BadInput

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
    """`sort_by` is a key of SORT_COLUMNS, highest first; `top` a number of rows, or a share such as `10%`."""

    sort_by: str | None = None
    top: str | None = None

    def __post_init__(self) -> None:
        """Raises BadInput if `top` is no number of rows and no share of them."""
        if self.top is not None:
            self._count(1)

    def facts(self) -> dict[str, Any]:
        return {"--sort-by": self.sort_by, "--top": self.top}

    def places(self, parts: Iterable[pa.Table], rows: int) -> np.ndarray | None:
        """Each row's place in the output, LEFT_OUT for rows that are not in it; None keeps all as they are.

        Highest value first, equal ones and those without a value in the input's order. `top` takes the rows
        whose target IFD is below 1, since above it prompt and answer do not belong together; without
        `sort_by` they keep the input's order. Holds some 40 bytes a row while it works, and 8 afterwards.
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
        # NaN, no value, sorts last, and equal keys stay in order.
        order = np.argsort(-keys, kind="stable")
        order = order[usable[order]]
        if self.top:
            order = order[: self._count(rows)]
        if self.sort_by is None:
            order.sort()
        places = np.full(rows, LEFT_OUT, dtype=np.int64)
        places[order] = np.arange(len(order))
        return places

    def _count(self, rows: int) -> int:
        found = _TOP.fullmatch(self.top or "")
        number = float(found[1]) if found else 0.0
        if not found or number <= 0 or (number > 100 if found[2] else not number.is_integer()):
            raise BadInput(
                f"--top: expected a number of rows such as 500 or a share such as 10%, got {self.top!r}"
            )
        return max(1, round(rows * number / 100)) if found[2] else int(number)


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    """Null becomes NaN."""
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
