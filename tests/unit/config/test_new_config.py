"""`staragents init`: every path through its questions gives a config that loads and has the answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.cli.init import init
from staragents.base.errors import BadInput
from staragents.config import Config, EngineKind
from staragents.config.new_config import SUGGESTED, Answers, Engine
from staragents.models import vllm_build
from staragents.validation.config_builder import typed
from staragents.validation.loading import load_config
from staragents.validation.merging import parse_yaml


def loaded(file: Path) -> Config:
    """Skips the test if the only problem is that the packages with the small models aren't installed."""
    try:
        return load_config(file)
    except BadInput as error:
        others = [line for line in error.problems if "is not installed" not in line]
        assert not others, "\n".join(others)
        pytest.skip(error.problems[0])


@pytest.mark.parametrize("engine", list(Engine))
def test_suggestions_make_a_config_that_loads(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-not-in-the-file")
    file = tmp_path / "mine.yaml"
    options = ["--engine", engine, "-y", "--output", str(tmp_path / "run")]
    if engine is Engine.api:
        options += ["--writer", "some-model", "--key-env", "MY_KEY"]
    done = CliRunner().invoke(init, [str(file), *options])
    assert done.exit_code == 0, done.output
    assert f"staragents validate {file}" in done.output
    text = file.read_text()
    assert "sk-not-in-the-file" not in text
    assert text.count(f"{file} ") == 3, "the next steps name the file"
    config = loaded(file)
    assert config.models["writer"].kind is (EngineKind.openai if engine is Engine.api else EngineKind.vllm)
    assert ("thinking_tokens" in text) == (engine is not Engine.packaged)
    assert ("judge" in config.models) == (engine is Engine.gpu)
    assert config.judge.model in config.models
    assert config.scoring.target.model == SUGGESTED[engine].target


@pytest.mark.parametrize("judge", ["openai/gpt-oss-20b", SUGGESTED[Engine.gpu].writer])
def test_gpus_are_kept_busy_by_the_rule(judge: str, tmp_path: Path) -> None:
    """docs/scale.md: three to six candidates in flight for each slot."""
    file = tmp_path / "mine.yaml"
    options = ["--engine", "gpu", "-y", "--judge", judge, "--output", str(tmp_path / "run")]
    assert CliRunner().invoke(init, [str(file), *options]).exit_code == 0
    config = loaded(file)
    slots = sum(model.min_replicas * model.max_num_seqs for model in config.models.values())
    candidates = config.evolution.draws + len(config.agents.base_pairs)
    assert 3 <= config.run.admitted_seeds * candidates / slots <= 6


def test_the_packaged_models_get_a_gpu_where_vllm_needs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_build, "needs_gpu", lambda: True)
    file = tmp_path / "mine.yaml"
    assert CliRunner().invoke(init, [str(file), "-y", "--output", str(tmp_path / "run")]).exit_code == 0
    assert loaded(file).models["writer"].num_gpus == 0.5


def test_questions_are_answered_on_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    seeds = tmp_path / "my.jsonl"
    seeds.write_text('{"instruction": "Name a colour.", "output": "Blue."}\n')
    typed_in = [str(seeds), "packaged", "", "", "", "", str(tmp_path / "run")]
    done = CliRunner().invoke(init, [str(file)], input="\n".join(typed_in) + "\n")
    assert done.exit_code == 0, done.output
    assert "Which engine generates the texts?" in done.output
    config = loaded(file)
    assert config.seeds.path == str(seeds)
    assert config.output.dir == str(tmp_path / "run")


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("mine: 1\n")
    refused = CliRunner().invoke(init, [str(file), "-y"])
    assert isinstance(refused.exception, BadInput)
    assert file.read_text() == "mine: 1\n"
    assert CliRunner().invoke(init, [str(file), "-y", "--force"]).exit_code == 0
    assert "mine: 1" not in file.read_text()


def test_an_answer_without_a_suggestion_is_required(tmp_path: Path) -> None:
    done = CliRunner().invoke(init, [str(tmp_path / "mine.yaml"), "-y", "--engine", "api"])
    assert isinstance(done.exception, BadInput)
    assert str(done.exception).startswith("--writer: expected a value")


def test_an_address_is_no_run_directory(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    done = CliRunner().invoke(init, [str(file), "-y", "--output", "s3://bucket/runs/x"])
    assert isinstance(done.exception, BadInput)
    assert str(done.exception).startswith("--output: expected a path on a file system")
    assert not file.exists()


@pytest.mark.parametrize(("option", "value"), [("--base-url", "https://host/v1"), ("--key-env", "K")])
def test_a_server_needs_the_engine_for_servers(option: str, value: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    done = CliRunner().invoke(init, [str(file), "-y", "--writer", "some-model", option, value])
    assert isinstance(done.exception, BadInput)
    assert str(done.exception) == f"{option}: expected --engine api with it, got packaged"
    assert not file.exists()


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(texts, texts, texts, texts, st.sampled_from(list(Engine)))
def test_no_answer_breaks_the_file(seeds: str, writer: str, target: str, url: str, engine: Engine) -> None:
    answers = Answers(seeds, engine, writer, writer, target, "larger", "runs/x", url, "KEY")
    problems: list[str] = []
    config = typed(parse_yaml(answers.yaml("mine.yaml")), problems)
    assert not problems
    assert (config.seeds.path, config.models["writer"].model) == (seeds, writer)
    assert config.scoring.target.model == target


@pytest.mark.parametrize(
    "options",
    [
        ("--base-url", "http://user:planted-pw@host/v1"),
        ("--key-env", "planted-pw"),
        ("--seeds", "s3://key:planted-pw@bucket/x.jsonl"),
    ],
)
def test_a_secret_among_the_answers_is_not_written(options: tuple[str, str], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    arguments = [str(file), "-y", "--engine", "api", "--writer", "m", *options]
    with pytest.raises(BadInput, match=f"{options[0]}: expected ") as error:
        CliRunner().invoke(init, arguments, catch_exceptions=False, standalone_mode=False)
    assert "planted-pw" not in str(error.value)
    assert not file.exists()
