"""Summarises the scores of a file in constant memory: counts, means and histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from staragents.score_file.score_table import PROBLEM
from staragents.scoring.ifd import SCORED_STATUSES

BIN = 0.01
MOST = 2.0
"""IFDs of at least MOST share the last bin. Gaps range from -1 to 1; values beyond count in the end bins."""


@dataclass(slots=True)
class Spread:
    """A histogram from `low` to `high` with bins of width BIN. Values beyond count in the end bins."""

    low: float
    high: float
    counts: np.ndarray = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = np.zeros(round((self.high - self.low) / BIN) + 1, dtype=np.int64)

    def add(self, column: pa.ChunkedArray) -> None:
        values = column.drop_null().to_numpy()
        self.total += float(np.clip(values, self.low, self.high).sum())
        # A bin includes its lower edge; 1e-9 compensates for 0.29 / 0.01 being 28.999...
        bins = np.floor((np.clip(values, self.low, self.high) - self.low) / BIN + 1e-9).astype(int)
        self.counts += np.bincount(bins, minlength=len(self.counts))

    def facts(self) -> dict[str, Any]:
        """Mean of the clipped values, and quantiles rounded to a bin; None without values."""
        seen = int(self.counts.sum())
        return {
            "rows": seen,
            "mean": self.total / seen if seen else None,
            **{name: self._quantile(q) if seen else None for name, q in QUANTILES.items()},
            "histogram": {"from": self.low, "bin": BIN, "counts": self.counts.tolist()},
        }

    def _quantile(self, share: float) -> float:
        index = int(np.searchsorted(np.cumsum(self.counts), share * self.counts.sum()))
        return round(self.low + BIN * index, 2)


QUANTILES = {"p10": 0.1, "median": 0.5, "p90": 0.9}


def summarise(parts: Iterable[pa.Table], roles: Sequence[str]) -> dict[str, Any]:
    """JSON values: rows, bad rows and, per role, statuses, fraction of misaligned rows and IFDs."""
    rows = bad = 0
    statuses: dict[str, Counter[str]] = {role: Counter() for role in roles}
    misaligned = dict.fromkeys(roles, 0)
    ifds = {role: Spread(0.0, MOST) for role in roles}
    gaps = Spread(-1.0, 1.0)
    for part in parts:
        rows += len(part)
        bad += len(part) - part[PROBLEM].null_count
        for role in roles:
            statuses[role].update(part[f"{role}_status"].drop_null().to_pylist())
            ifd = part[f"{role}_ifd"]
            misaligned[role] += pc.sum(pc.greater(ifd, 1.0)).as_py() or 0
            ifds[role].add(ifd)
        if "larger" in roles:
            gaps.add(part["ifd_gap"])
    summary: dict[str, Any] = {"rows": rows, "bad_rows": bad}
    for role in roles:
        facts = ifds[role].facts()
        summary[role] = {
            "statuses": dict(sorted(statuses[role].items())),
            "misaligned": misaligned[role] / facts["rows"] if facts["rows"] else None,
            "ifd": facts,
        }
    if "larger" in roles:
        summary["ifd_gap"] = gaps.facts()
    summary["warnings"] = list(_warnings(summary, roles))
    return summary


def _warnings(summary: dict[str, Any], roles: Sequence[str]) -> Iterable[str]:
    for role in roles:
        facts = summary[role]
        scored = facts["ifd"]["rows"]
        if (facts["misaligned"] or 0) > 0.5:
            yield (
                f"{facts['misaligned']:.0%} of the rows have a {role} IFD above 1: the prompt makes the "
                "answer less likely. An unsuitable template has this effect; try a different --template"
            )
        unscored = sum(facts["statuses"].values()) - scored
        if unscored > 0.1 * max(1, summary["rows"]):
            yield f"{unscored} rows have no {role} IFD: {_most(facts['statuses'])}"


def _most(statuses: dict[str, int]) -> str:
    others = {name: n for name, n in statuses.items() if name not in SCORED_STATUSES}
    return ", ".join(f"{n} {name}" for name, n in sorted(others.items(), key=lambda item: -item[1]))
