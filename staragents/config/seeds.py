"""The seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from staragents.config.marks import ONE_OR_MORE, POSITIVE, Location, Mark, Range


class RowFormat(StrEnum):
    auto = "auto"
    alpaca = "alpaca"
    dolly = "dolly"
    question_answer = "question_answer"
    prompt_completion = "prompt_completion"
    preference = "preference"
    history = "history"
    messages = "messages"
    sharegpt = "sharegpt"
    tree = "tree"
    self_instruct = "self_instruct"


@dataclass
class ColumnsConfig:
    """Your column names, if they are not those of a known format. Unset ones are detected."""

    instruction: str | None = None
    """The user's instruction."""
    input: Annotated[str | None, Mark.empty] = None
    """Additional input, appended to the instruction. An empty name means that no column holds it."""
    response: str | None = None
    """The response."""
    messages: str | None = None
    """A list of turns, instead of the three above."""
    history: Annotated[str | None, Mark.empty] = None
    """Earlier exchanges: a list of [question, answer]. An empty name means that no column holds them."""
    system: Annotated[str | None, Mark.empty] = None
    """The system prompt. An empty name means that no column holds it."""
    reasoning: Annotated[str | None, Mark.added, Mark.empty] = None
    """What was thought before the response. An empty name means that no column holds it."""
    label: Annotated[str | None, Mark.added, Mark.empty] = None
    """Whether the response is wanted, as in data for KTO: rows where it is false or 0 are left out. An empty
    name means that no column says so."""
    conversation: Annotated[str | None, Mark.added] = None
    """The conversation's id, if each row is one message: consecutive rows with the same id are one seed."""


@dataclass
class SeedsConfig:
    """The instruction-tuning data to improve."""

    path: Annotated[str, Location(by_fsspec=True)] = ""
    """JSONL, JSON, CSV, Parquet or Arrow, optionally compressed: a file, a folder, a pattern such as
    `data/*.jsonl`, a URL that fsspec supports (s3://, gs://), `hf:dataset`, `hf:dataset:split`,
    `hf:dataset:config:split`, or the bundled `bundled:self-instruct`."""
    format: RowFormat = RowFormat.auto
    """auto detects the format of each row from its columns; any other value accepts only that format."""
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    """Your column names. They take precedence over detection."""
    encoding: Annotated[str | None, Mark.added] = None
    """Encoding of text files, such as cp1252, gbk or utf-16. Unset: UTF-8; a file that is not UTF-8 is read
    in the encoding that its bytes suggest, which `validate` and `run` name. utf-8 turns the guess off."""
    limit: Annotated[int | None, ONE_OR_MORE] = None
    """Take only this many usable rows from the start. Unset: all."""
    hold_out: Annotated[float, Range(0, 0.9), Mark.added] = 0.0
    """Share of the seeds that a run leaves out, chosen by the hash of their id, and writes to held_out.jsonl:
    what `evaluate` measures on. `limit` counts them too."""
    strict: Annotated[bool, Mark.on_resume] = False
    """Stop before writing anything if a row is bad, instead of putting bad rows into quarantine."""
    max_chars: Annotated[int, ONE_OR_MORE] = 100_000
    """A row with a longer field is bad: one huge row would occupy an engine for minutes."""
    max_unpacked_gib: Annotated[float, POSITIVE] = 64.0
    """A compressed file that expands to more than this ends the run: it may be a zip bomb."""
