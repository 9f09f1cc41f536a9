"""The columns that scoring adds to each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from staragents.scoring.ifd import Score, ifd_gap

PROBLEM = "problem"
"""A column of parts only: the problem of a bad row as file:row:field: message, null in a valid row."""

_ROLE_COLUMNS = {
    "nll_cond": pa.float64(),
    "nll_direct": pa.float64(),
    "ifd": pa.float64(),
    "ifd_loss_ratio": pa.float64(),
    "ifd_bytes": pa.float64(),
    "tokens": pa.int32(),
    "status": pa.string(),
}


def score_schema(roles: Sequence[str]) -> pa.Schema:
    """The score columns for `target`, or for `target` and `larger`, in output order."""
    fields = [pa.field(f"{role}_{name}", kind) for role in roles for name, kind in _ROLE_COLUMNS.items()]
    fields.append(pa.field("answer_bytes", pa.int32()))
    if "larger" in roles:
        fields.append(pa.field("ifd_gap", pa.float64()))
    return pa.schema(fields)


def part_schema(roles: Sequence[str]) -> pa.Schema:
    return score_schema(roles).append(pa.field(PROBLEM, pa.string()))


def part_table(
    scores: Mapping[str, Sequence[Score | None]], problems: Sequence[str | None], same_tokenizer: bool
) -> pa.Table:
    """A table with `part_schema` for consecutive rows. `scores` has a Score per valid row and None per bad
    row."""
    columns: dict[str, list[object]] = {}
    for role, values in scores.items():
        for name in _ROLE_COLUMNS:
            attribute = "ifd_loss" if name == "ifd_loss_ratio" else name
            columns[f"{role}_{name}"] = [None if s is None else getattr(s, attribute) for s in values]
    columns["answer_bytes"] = [None if s is None else s.answer_bytes for s in scores["target"]]
    if "larger" in scores:
        columns["ifd_gap"] = [
            None if target is None or larger is None else ifd_gap(target, larger, same_tokenizer)
            for target, larger in zip(scores["target"], scores["larger"], strict=True)
        ]
    columns[PROBLEM] = list(problems)
    return pa.table(columns, schema=part_schema(list(scores)))
