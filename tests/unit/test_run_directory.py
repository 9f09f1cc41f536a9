"""Whose run a folder is: what a resumed run must have in common with the one that began."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.agents import prompt_hashes
from staragents.config import Config
from staragents.config_loading import as_dict, fingerprint, load_config
from staragents.errors import BadInput
from staragents.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    path = tmp_path / "mine.j2"
    path.write_text("Rewrite this: {{ instruction }}")
    return path


@pytest.fixture
def begun(tmp_path: Path, prompt: Path) -> Config:
    """A config with a prompt of the user's own, and a run directory that it has begun."""
    config = load_config(
        ROOT / "configs/fake.yaml",
        [f"output.dir={tmp_path / 'run'}", f"agents.instruction.deepen.prompt={prompt}"],
    )
    run = RunDirectory(config.output.dir)
    run.create(config, resumes=False)
    run.write_json(
        "state.json",
        {
            "fingerprint": fingerprint(config),
            "config": as_dict(config),
            "prompts": prompt_hashes(config),
        },
    )
    return config


def test_the_same_config_and_prompts_resume(begun: Config) -> None:
    assert RunDirectory(begun.output.dir).check(begun)


def test_an_edited_prompt_is_another_run(begun: Config, prompt: Path) -> None:
    prompt.write_text("Write this anew: {{ instruction }}")
    with pytest.raises(BadInput, match=r"another text of agents\.instruction\.deepen\.prompt"):
        RunDirectory(begun.output.dir).check(begun)


def test_another_setting_is_named(begun: Config) -> None:
    begun.run.seed += 1
    with pytest.raises(BadInput, match=r"changed: run\.seed"):
        RunDirectory(begun.output.dir).check(begun)


def test_a_folder_of_somebody_else_is_left_alone(begun: Config, tmp_path: Path) -> None:
    begun.output.dir = str(tmp_path)
    with pytest.raises(BadInput, match=r"no run directory"):
        RunDirectory(begun.output.dir).check(begun)
