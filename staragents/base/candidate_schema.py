"""The Arrow schema of candidates, in which shards store them."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pyarrow as pa

from staragents.base.messages import REASONING, Conversation, Message, as_dicts
from staragents.base.records import Candidate

PLAIN_CONVERSATION_TYPE = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
"""The Arrow type of a conversation without reasoning, as earlier versions wrote all of them."""
CONVERSATION_TYPE = pa.list_(pa.struct([*PLAIN_CONVERSATION_TYPE.value_type, (REASONING, pa.string())]))
"""The Arrow type of a conversation. The reasoning of most turns is null."""
_NEIGHBOURS = pa.list_(
    pa.struct([("pair", pa.string()), ("reward", pa.float64()), ("similarity", pa.float64())])
)
_FLOATS = pa.map_(pa.string(), pa.float64())
_COUNTS = pa.map_(pa.string(), pa.int64())

CANDIDATE_SCHEMA = pa.schema(
    [
        ("seed_id", pa.string()),
        ("candidate_id", pa.string()),
        ("pair", pa.string()),
        ("instruction_agent", pa.string()),
        ("response_agent", pa.string()),
        ("propensity", pa.float64()),
        ("seed_messages", CONVERSATION_TYPE),
        ("messages", CONVERSATION_TYPE),
        ("target_nll_cond", pa.float64()),
        ("target_nll_direct", pa.float64()),
        ("target_ifd", pa.float64()),
        ("larger_nll_cond", pa.float64()),
        ("larger_nll_direct", pa.float64()),
        ("larger_ifd", pa.float64()),
        ("ifd_gap", pa.float64()),
        ("judge_win", pa.float64()),
        ("judge_agreement", pa.bool_()),
        ("reward", pa.float64()),
        ("selected", pa.bool_()),
        ("reject_reason", pa.string()),
        ("rejected_text", pa.string()),
        ("neighbours", pa.int32()),
        ("tokens_in", pa.int64()),
        ("tokens_out", pa.int64()),
        ("seconds", pa.float64()),
        ("seed_row", pa.int64()),
        ("base", pa.bool_()),
        ("domain_similarity", pa.float64()),
        ("target_status", pa.string()),
        ("larger_status", pa.string()),
        ("target_tokens", pa.int32()),
        ("larger_tokens", pa.int32()),
        ("answer_bytes", pa.int32()),
        ("target_ifd_bytes", pa.float64()),
        ("larger_ifd_bytes", pa.float64()),
        ("seed_target_ifd", pa.float64()),
        ("seed_larger_ifd", pa.float64()),
        ("judge_win_first", pa.float64()),
        ("judge_win_second", pa.float64()),
        ("judge_reason", pa.string()),
        ("difficulty", pa.float64()),
        ("recalled", _NEIGHBOURS),
        ("stage_seconds", _FLOATS),
        ("stage_tokens", _COUNTS),
        ("failed_stage", pa.string()),
        ("failed_agent", pa.string()),
        ("error_class", pa.string()),
        ("error_message", pa.string()),
        ("readings", _FLOATS),
    ]
)
_ADDED = ("readings",)
"""Columns that earlier versions did not write."""


def is_candidate_schema(schema: pa.Schema) -> bool:
    """Whether `candidates_of` reads files with it: of this version or of an earlier one."""
    earlier = pa.schema([field for field in CANDIDATE_SCHEMA if field.name not in _ADDED])
    return any(schema.equals(known) for known in (CANDIDATE_SCHEMA, earlier, without_reasoning(earlier)))


def without_reasoning(schema: pa.Schema) -> pa.Schema:
    """The schema of files in which no turn has reasoning: trainers need not handle a null in every turn."""
    return pa.schema([pa.field(field.name, _without_reasoning(field.type)) for field in schema])


def _without_reasoning(kind: pa.DataType) -> pa.DataType:
    if not (pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)):
        return kind
    return pa.list_(pa.struct([field for field in kind.value_type if field.name != REASONING]))


def candidates_table(candidates: list[Candidate]) -> pa.Table:
    """Arrow table with CANDIDATE_SCHEMA, one row per candidate, in the given order."""
    rows: list[dict[str, Any]] = []
    for candidate in candidates:
        row = {name: getattr(candidate, name) for name in CANDIDATE_SCHEMA.names}
        row["seed_messages"] = as_dicts(candidate.seed_messages)
        row["messages"] = as_dicts(candidate.messages)
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=CANDIDATE_SCHEMA)


def candidates_of(batch: pa.RecordBatch) -> list[Candidate]:
    """The candidates in rows with CANDIDATE_SCHEMA, or with conversations of PLAIN_CONVERSATION_TYPE."""
    columns = {
        name: _conversations(column)
        if column.type in (CONVERSATION_TYPE, PLAIN_CONVERSATION_TYPE)
        else column.to_pylist(maps_as_pydicts="strict")
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    return [
        Candidate(**dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)
    ]


def _conversations(column: pa.ListArray) -> list[Conversation]:
    """As `messages.conversation` on each row, in a fifth of the time: Arrow converts nested values slowly."""
    turns = column.flatten()
    messages = map(Message, *(turns.field(field.name).to_pylist() for field in turns.type))
    return [tuple(islice(messages, length)) for length in column.value_lengths().to_pylist()]
