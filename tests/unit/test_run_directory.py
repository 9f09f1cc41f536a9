"""Whose run a folder is: what a resumed run must have in common with the one that began."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from staragents.agents import prompt_hashes
from staragents.config import Config
from staragents.config.loading import as_dict, fingerprint, load_config
from staragents.errors import BadInput, RunFailed
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


def test_a_folder_in_use_names_its_owner_and_a_killed_one_leaves_it_free(begun: Config) -> None:
    run = RunDirectory(begun.output.dir)
    program = (
        "import sys, time; from staragents.run_directory import RunDirectory\n"
        "lock = RunDirectory(sys.argv[1]).lock(); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(run.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        kept = run.candidates / "part-000000.parquet"
        kept.write_bytes(b"of a run before its first checkpoint")
        with pytest.raises(RunFailed, match=rf"in use by process {owner.pid} on .* since 20.* UTC; see"):
            run.create(begun, resumes=False)
        assert kept.exists(), "a live run's work is no leftover"
        owner.kill()
    run.create(begun, resumes=False)
    assert not kept.exists()
