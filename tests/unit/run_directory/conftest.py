"""A run that has begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.paths import ROOT


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    path = tmp_path / "mine.j2"
    path.write_text("Rewrite this: {{ instruction }}")
    return path


@pytest.fixture
def begun(tmp_path: Path, prompt: Path) -> Config:
    """A config with a custom prompt, and a run directory started with it."""
    config = load_config(
        ROOT / "configs/fake.yaml",
        [f"output.dir={tmp_path / 'run'}", f"agents.instruction.deepen.prompt={prompt}"],
    )
    RunDirectory(config.output.dir).create(config, SeedFile(config.seeds).scan())
    return config
