"""Seed, Candidate and the Arrow schema of candidates."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from staragents.base.messages import Conversation, Message, as_dicts

# An arbitrary namespace, but it must never change, or resumed runs would repeat work.
NAMESPACE = uuid.UUID("7c6b1f0e-3f43-5a43-9d5a-0d0a4e1f2b11")

MISALIGNED = "misaligned"
"""Reject reason of a candidate whose instruction does not help predict its answer (IFD > 1)."""


def stable_id(*parts: str) -> str:
    """uuid5 over the parts: the same work has the same id in every run, retry and resume."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))


def stable_seed(*parts: str) -> int:
    """A 31-bit random seed derived from ids, so that decisions don't depend on completion order."""
    return uuid.uuid5(NAMESPACE, "\x1f".join(parts)).int & 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Seed:
    """A row of the user's dataset: a conversation that ends with the response to improve."""

    seed_id: str
    row: int
    messages: Conversation

    @property
    def instruction(self) -> str:
        """The last user turn."""
        return self.messages[-2].content

    @property
    def response(self) -> str:
        return self.messages[-1].content

    @property
    def context(self) -> Conversation:
        """The system prompt and the turns before the last user turn."""
        return self.messages[:-2]


@dataclass(slots=True)
class Candidate:
    """One agent pair's rewrite of one seed, with all measurements.

    NLLs are mean nats per answer token; `ifd_gap` is target IFD minus larger IFD; `judge_win` is the
    probability in [0, 1] that the judge prefers the candidate; `propensity` is the probability with
    which the policy included the pair for this seed (1 for base pairs). None means not measured.
    """

    seed_id: str
    candidate_id: str
    pair: str
    instruction_agent: str
    response_agent: str
    propensity: float
    seed_messages: Conversation
    messages: Conversation = ()
    target_nll_cond: float | None = None
    target_nll_direct: float | None = None
    target_ifd: float | None = None
    larger_nll_cond: float | None = None
    larger_nll_direct: float | None = None
    larger_ifd: float | None = None
    ifd_gap: float | None = None
    judge_win: float | None = None
    judge_agreement: bool | None = None
    reward: float | None = None
    selected: bool = False
    reject_reason: str | None = None
    rejected_text: str | None = None
    neighbours: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    # Further columns, needed to recompute, explain and bill a row.
    seed_row: int = 0
    base: bool = False
    domain_similarity: float | None = None
    target_status: str | None = None
    larger_status: str | None = None
    target_tokens: int | None = None
    larger_tokens: int | None = None
    answer_bytes: int | None = None
    target_ifd_bytes: float | None = None
    larger_ifd_bytes: float | None = None
    seed_target_ifd: float | None = None
    seed_larger_ifd: float | None = None
    judge_win_first: float | None = None
    judge_win_second: float | None = None
    judge_reason: str | None = None
    difficulty: float | None = None
    recalled: list[dict[str, Any]] | None = None
    """The draw's neighbours: {pair, reward, similarity}, most similar first."""
    stage_seconds: dict[str, float] | None = None
    stage_tokens: dict[str, int] | None = None
    failed_stage: str | None = None
    failed_agent: str | None = None
    error_class: str | None = None
    error_message: str | None = None

    @property
    def tokens(self) -> int:
        """Prompt and generated tokens, judging included."""
        return self.tokens_in + self.tokens_out

    @property
    def failed(self) -> bool:
        """Whether an actor or engine failed on it. A rejected text is not a failure."""
        return self.failed_stage is not None

    @property
    def written(self) -> bool:
        """Whether its text passed the reject rules, whatever failed later."""
        return bool(self.messages)

    @property
    def generated(self) -> bool:
        """Whether its text passed the reject rules and nothing failed. IFD may still mark it misaligned."""
        return bool(self.messages) and self.reject_reason in (None, MISALIGNED) and not self.failed

    @property
    def scored(self) -> bool:
        """Whether it has an IFD under both models."""
        return self.target_ifd is not None and self.larger_ifd is not None


_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
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
        ("seed_messages", _MESSAGES),
        ("messages", _MESSAGES),
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
    ]
)


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
    """The candidates in rows with CANDIDATE_SCHEMA."""
    columns = {
        name: _conversations(column)
        if column.type == _MESSAGES
        else column.to_pylist(maps_as_pydicts="strict")
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    return [
        Candidate(**dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)
    ]


def _conversations(column: pa.ListArray) -> list[Conversation]:
    """As `messages.conversation` on each row, in a fifth of the time: Arrow converts nested values slowly."""
    turns = column.flatten()
    roles, contents = (turns.field(name).to_pylist() for name in ("role", "content"))
    messages = map(Message, roles, contents)
    return [tuple(islice(messages, length)) for length in column.value_lengths().to_pylist()]


def as_row(candidate: Candidate) -> dict[str, Any]:
    """Plain Python values, for JSON."""
    return asdict(candidate)
