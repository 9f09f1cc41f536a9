"""Converts the input's columns to Arrow without loss, even if a column has mixed types."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.data.readers.data_files import Block
from staragents.data.readers.raw_row import RawRow
from staragents.data.readers.row_objects import row_object
from staragents.data.readers.table_values import column_values

TEXT = {b"staragents": b"json"}
"""Metadata of a column that is stored as JSON text because no single type fits its values."""


class Unconvertible(Exception):
    """A value of `column` does not fit the type chosen for it."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


class InputColumns:
    """Chooses a type for every column: the file's own, else the type that Arrow infers, else JSON text."""

    def __init__(self, blocks: Iterable[Block], without: Iterable[str]) -> None:
        """Reads all blocks to infer types. Columns in `without` are dropped."""
        self._types: dict[str, pa.DataType | None] = {}
        self._without = set(without)
        for block in blocks:
            for name, kind in _types(block).items():
                self._types[name] = _united(self._types[name], kind) if name in self._types else kind
        for name in self._without & self._types.keys():
            del self._types[name]

    def as_text(self, column: str) -> None:
        """Write this column as JSON text."""
        self._types[column] = None

    def schema(self) -> pa.Schema:
        return pa.schema([_field(name, kind) for name, kind in self._types.items()])

    def arrays(self, block: Block) -> list[pa.Array]:
        """One array per column of `schema`. Raises Unconvertible."""
        return [self._array(block, name, kind) for name, kind in self._types.items()]

    def _array(self, block: Block, name: str, kind: pa.DataType | None) -> pa.Array:
        if block.table is not None and kind is not None:
            if name not in block.table.column_names:
                return pa.nulls(len(block.rows), kind)
            try:
                return block.table[name].combine_chunks().cast(kind)
            except pa.ArrowException as error:
                raise Unconvertible(name) from error
        values = _values(block, name)
        if kind is None:
            return pa.array([None if v is None else json_text(v) for v in values], pa.string())
        try:
            return pa.array(values, _field(name, kind).type)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise Unconvertible(name) from error


def _types(block: Block) -> dict[str, pa.DataType | None]:
    if block.table is not None:
        return {field.name: field.type if _is_storable(field.type) else None for field in block.table.schema}
    names = dict.fromkeys(name for row in _dicts(block) for name in row)
    return {name: _inferred(_values(block, name)) for name in names}


def _inferred(values: list[Any]) -> pa.DataType | None:
    try:
        kind = pa.array(values).type
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return None
    return kind if _is_storable(kind) else None


@cache
def _is_storable(kind: pa.DataType) -> bool:
    """Whether Parquet has this type: it lacks structs without fields, unions and intervals."""
    try:
        pq.write_table(pa.schema([("c", kind)]).empty_table(), pa.BufferOutputStream())
    except pa.ArrowException:
        return False
    return True


def _united(one: pa.DataType | None, other: pa.DataType | None) -> pa.DataType | None:
    if one is None or other is None:
        return None
    try:
        return pa.unify_schemas(
            [pa.schema({"c": one}), pa.schema({"c": other})], promote_options="permissive"
        )[0].type
    except pa.ArrowException:
        return None


def _field(name: str, kind: pa.DataType | None) -> pa.Field:
    if kind is None:
        return pa.field(name, pa.string(), metadata=TEXT)
    # Many readers don't support columns of the null type.
    return pa.field(name, pa.string() if pa.types.is_null(kind) else kind)


def _dicts(block: Block) -> list[Mapping[str, Any]]:
    return [row_object(row.value) or {} for row in block.rows if isinstance(row, RawRow)]


def _values(block: Block, name: str) -> list[Any]:
    if block.table is not None:
        has_it = name in block.table.column_names
        return column_values(block.table[name]) if has_it else [None] * len(block.rows)
    return [row.get(name) for row in _dicts(block)]


def json_text(value: Any) -> str:
    """Portable JSON: dates as strings, bytes in base64, no NaN, unpaired surrogates escaped."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_as_text)
        text.encode()
        return text
    except UnicodeEncodeError:
        return json.dumps(value, default=_as_text)
    except ValueError:
        return json.dumps(_without_nan(value), default=_as_text)


def _as_text(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether the type contains bytes, such as those of images, which JSON can't represent."""
    if pa.types.is_struct(kind):
        return any(holds_bytes(field.type) for field in kind)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return holds_bytes(kind.value_type)
    binary = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(is_kind(kind) for is_kind in binary)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
