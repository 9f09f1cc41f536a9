"""A saved run, read from its directory for report and dataset card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staragents.base.errors import BadInput
from staragents.config import Config, OutputConfig
from staragents.evolution.drawn_pairs import DrawnPairs, drawn_pairs_of
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import from_yaml, to_yaml, without_secrets

REFERENCE = "Star-Agents (arXiv 2411.14497)"


@dataclass(frozen=True, slots=True)
class SavedRun:
    """Folder, config and summary of a run."""

    folder: RunDirectory
    config: Config
    config_text: str
    summary: dict[str, Any]
    diagnosis: dict[str, Any]
    """See `RunDirectory.diagnosis`."""

    @classmethod
    def open(cls, run_dir: str | Path) -> SavedRun:
        """Open a finished run. Raises BadInput if the folder is not a run directory with complete results."""
        RunDirectory(run_dir).results()
        return cls.read(run_dir)

    @classmethod
    def read(cls, run_dir: str | Path) -> SavedRun:
        """Read a run whose results may be incomplete. Raises BadInput without a summary."""
        folder = RunDirectory(run_dir)
        path = folder.path / "config.yaml"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{path}: expected a run's config, got {error}") from error
        return cls.with_config(folder, from_yaml(text))

    @classmethod
    def with_config(cls, folder: RunDirectory, config: Config) -> SavedRun:
        """Read a run whose config is already loaded, because parsing is slow. Raises BadInput without a
        summary."""
        summary = folder.summary()
        if summary is None:
            raise BadInput(f"{folder.path}: no summary.json: the run has not finished yet")
        config = without_secrets(config)
        return cls(folder, config, to_yaml(config), summary, folder.diagnosis())

    @classmethod
    def of(cls, run: SavedRun | str | Path) -> SavedRun:
        """`run` itself if already read, because parsing its config is slow."""
        return run if isinstance(run, SavedRun) else cls.read(run)

    @property
    def drawn_pairs(self) -> list[DrawnPairs]:
        """The pairs that its seeds were drawn from, where its state has them."""
        return drawn_pairs_of(self.folder.state() or {})

    @property
    def title(self) -> str:
        """The configured title, reduced to one line."""
        return " ".join(self.config.output.title.split()) or OutputConfig.title
