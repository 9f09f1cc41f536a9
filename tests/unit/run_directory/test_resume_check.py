"""What a resumed run must share with the original one."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.run_directory.resume_check import check_resume
from staragents.run_directory.run_directory import RunDirectory


def test_the_same_config_and_prompts_resume(begun: Config) -> None:
    assert check_resume(RunDirectory(begun.output.dir), begun)


def test_an_edited_prompt_is_another_run(begun: Config, prompt: Path) -> None:
    prompt.write_text("Write this anew: {{ instruction }}")
    with pytest.raises(BadInput, match=r"a different text of agents\.instruction\.deepen\.prompt"):
        check_resume(RunDirectory(begun.output.dir), begun)


def test_another_setting_is_named(begun: Config) -> None:
    begun.run.seed += 1
    with pytest.raises(BadInput, match=r"changed: run\.seed"):
        check_resume(RunDirectory(begun.output.dir), begun)


def test_somebody_elses_folder_is_left_alone(begun: Config, tmp_path: Path) -> None:
    begun.output.dir = str(tmp_path)
    with pytest.raises(BadInput, match=r"nor a run directory"):
        check_resume(RunDirectory(begun.output.dir), begun)
