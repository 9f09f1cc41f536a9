"""What a resumed run must share with the original one."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.config import Config, EngineKind
from staragents.config.tree import as_dict
from staragents.data.seed_file import SeedFile
from staragents.run.repair import repair
from staragents.run_directory.resume_check import check_resume
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config, with_overrides
from tests.support.paths import FAKE, ROOT


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


HOSTED = ("kind=openai", "model=m", "base_url=http://127.0.0.1:1/v1")


def test_a_run_whose_preset_has_settings_that_its_kind_ignores_continues(tmp_path: Path) -> None:
    """Also if its fingerprint holds them, as those of earlier versions do."""
    settings = [f"output.dir={tmp_path / 'run'}", *(f"models.small.{setting}" for setting in HOSTED)]
    config = load_config(ROOT / "configs/demo.yaml", settings)
    assert config.models["small"].engine_args
    run = begin(config)
    assert check_resume(run, config)
    state = run.state()
    assert state is not None
    run.write_state({**state, "fingerprint": "of an earlier rule"})
    without = load_config(ROOT / "configs/demo.yaml", [*settings, "models.small.engine_args=null"])
    assert check_resume(run, config)
    assert check_resume(run, without)
    with pytest.raises(BadInput, match=r"changed: models\.small\.model\."):
        check_resume(run, with_overrides(config, ["models.small.model=other"]))


def test_a_run_that_an_earlier_version_began_with_an_ignored_address_continues(tmp_path: Path) -> None:
    address = "models.judge.base_url=http://127.0.0.1:1/v1"
    config = load_config(FAKE, [f"output.dir={tmp_path / 'run'}", address, "models.judge.num_cpus=1"])
    config.models["judge"].kind = EngineKind.vllm
    config.models["judge"].model = "packaged:smollm2-135m-instruct"
    run = begin(config)
    (run.path / "config.yaml").write_text("lost")
    assert repair(run).config.models["judge"].base_url
    more = ["models.more={kind: fake}", "agents.response.more={model: more, prompt: direct}"]
    added = with_overrides(config, more)
    state = run.state()
    assert state is not None
    run.write_state({**state, "config": as_dict(added), "given": as_dict(config)})
    found = check_resume(run, config)
    assert found is not None
    assert "more" in found.config.models
    with pytest.raises(BadInput, match=r"^models\.new\.base_url: expected nothing for kind vllm"):
        with_overrides(config, ["models.new={model: packaged:smollm2-135m-instruct, base_url: 'http://x'}"])


def begin(config: Config) -> RunDirectory:
    run = RunDirectory(config.output.dir)
    run.create(config, SeedFile(config.seeds).scan())
    return run
