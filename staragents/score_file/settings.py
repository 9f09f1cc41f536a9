"""What a score command was asked to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from staragents.config import Convention, Template
from staragents.rows.row_messages import ALPACA, Columns
from staragents.score_file.selection import Selection


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """One command. Lengths in tokens; `larger` None scores the target model alone."""

    data: str
    target: str
    output: Path
    larger: str | None = None
    template: Template = Template.plain
    convention: Convention = Convention.exact
    max_length: int = 2048
    min_tokens: int = 5
    batch_tokens: int = 8192
    dtype: str = "auto"
    device: str = "auto"
    limit: int | None = None
    columns: Columns = ALPACA
    selection: Selection = field(default_factory=Selection)
    strict: bool = False
    overwrite: bool = False
    cache_size: int = 200_000
    cache: Path | None = None

    @property
    def models(self) -> dict[str, str]:
        """The models' names by role."""
        return {"target": self.target} | ({"larger": self.larger} if self.larger else {})

    def decides_scores(self) -> dict[str, Any]:
        """The options that change a score; batch sizes and caches don't."""
        return {
            "--template": self.template.value,
            "--convention": self.convention.value,
            "--max-length": self.max_length,
            "--min-tokens": self.min_tokens,
            "--dtype": self.dtype,
            "--device": self.device,
        }

    def decides_rows(self) -> dict[str, Any]:
        """The options that change which rows come out, and where."""
        return {"--limit": self.limit, "--columns": asdict(self.columns), **self.selection.facts()}
