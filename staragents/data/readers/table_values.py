"""Converts the cells of tables to Python values, also those that Python can't represent."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

UNREADABLE = (pa.ArrowException, ValueError, OverflowError, KeyError)
"""What pyarrow raises for a cell that Python can't represent: text that is not UTF-8, dates after 9999, a key
that a map has twice."""


def table_values(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table, with the cells of `column_values`."""
    columns = {name: column_values(table[name]) for name in table.column_names}
    return [{name: cells[row] for name, cells in columns.items()} for row in range(table.num_rows)]


def column_values(column: pa.ChunkedArray) -> list[Any]:
    """The cells of a column. Text that is not UTF-8 has U+FFFD for the wrong bytes, and other values that
    Python can't represent are texts, or None if they have none."""
    try:
        return list(column.to_pylist())
    except UNREADABLE:
        return [cell_value(cell) for cell in column]


def cell_value(cell: pa.Scalar) -> Any:
    """One cell, as in `column_values`."""
    try:
        return cell.as_py()
    except UNREADABLE:
        pass
    if isinstance(cell, pa.StructScalar):
        return {name: cell_value(cell[name]) for name in cell}
    if isinstance(cell, pa.MapScalar):
        return [(cell_value(entry["key"]), cell_value(entry["value"])) for entry in cell.values]
    if isinstance(cell, pa.ListScalar):
        return [cell_value(one) for one in cell.values]
    if isinstance(cell, pa.DictionaryScalar | pa.RunEndEncodedScalar):
        return cell_value(cell.value)
    if isinstance(cell, pa.StringScalar):
        return cell.as_buffer().to_pybytes().decode("utf-8", "replace")
    try:
        return cell.cast(pa.string()).as_py()
    except UNREADABLE:
        return None
