"""Where seeds come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


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
    """Which column holds what, where your names are not those of a known format. Those left out are found."""

    instruction: str | None = None
    """The user's text."""
    input: str | None = None
    """More of the user's text, put below the instruction."""
    response: str | None = None
    """The answer."""
    messages: str | None = None
    """A list of turns, in place of the three above."""
    history: str | None = None
    """Earlier exchanges: a list of [question, answer]."""
    system: str | None = None
    """The system prompt."""


@dataclass
class SeedsConfig:
    """Where the instruction-tuning data comes from."""

    path: str = ""
    """JSONL, JSON, CSV, Parquet or Arrow, plain or packed: a file, a folder, a pattern like `data/*.jsonl`, a
    URL that fsspec knows (s3://, gs://), `hf:dataset[:split]`, or `bundled:self-instruct`, ours."""
    format: RowFormat = RowFormat.auto
    """auto looks at each row's columns; any other takes only rows of this format."""
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    """Your names of columns. They win over what auto would find."""
    limit: int | None = None
    """Take only the first so many usable rows; unset takes all."""
    strict: bool = False
    """Stop before anything is written if any row is bad, instead of putting bad rows into quarantine."""
    max_chars: int = 100_000
    """A longer field is a bad row: one huge row would hold an engine for minutes."""
    max_unpacked_gib: float = 64.0
    """A packed file that unpacks to more ends the run: it may be a zip bomb."""
