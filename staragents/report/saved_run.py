"""What a run directory says about its run, read for report and dataset card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staragents.config import Config
from staragents.config_loading import from_yaml
from staragents.errors import BadInput
from staragents.report.rows import shards_of

REFERENCE = "Star-Agents (arXiv 2411.14497)"


@dataclass(frozen=True, slots=True)
class SavedRun:
    """Config, summary and shards of a run directory."""

    path: Path
    config: Config
    config_text: str
    summary: dict[str, Any]
    shards: list[Path]

    @classmethod
    def open(cls, run_dir: str | Path) -> SavedRun:
        """Raises BadInput if the folder is not a run directory that came as far as its summary."""
        path = Path(run_dir)
        texts = {}
        for name in ("config.yaml", "summary.json"):
            try:
                texts[name] = (path / name).read_text(encoding="utf-8")
            except OSError as error:
                raise BadInput(
                    f"{path / name}: expected a finished run's file, got {error.strerror}"
                ) from error
        try:
            config, summary = from_yaml(texts["config.yaml"]), json.loads(texts["summary.json"])
        except (BadInput, ValueError) as error:
            raise BadInput(f"{path}: config.yaml or summary.json is damaged: {error}") from error
        return cls(
            path=path,
            config=config,
            config_text=texts["config.yaml"],
            summary=summary,
            shards=shards_of(path),
        )

    @property
    def title(self) -> str:
        """One line, whatever was configured."""
        return " ".join(self.config.output.title.split()) or "Optimised instruction data"
