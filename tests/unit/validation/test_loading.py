"""Reading configs: files, extends, overrides, and reports of every problem."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.config import Config, EngineKind, ModelConfig, OutputConfig, PolicyName
from staragents.validation.loading import from_yaml, load_config, to_yaml, with_overrides
from staragents.validation.merging import read_file
from tests.support.config_files import VALID, problems, written
from tests.support.paths import FAKE

pytestmark = pytest.mark.usefixtures("folder")


def test_home_is_expanded_in_folders_and_extended_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = folder / "home"
    monkeypatch.setenv("HOME", str(home))
    (home / "earlier" / "candidates").mkdir(parents=True)
    (home / "earlier" / "candidates" / "part-000000.parquet").touch()
    (home / "valid.yaml").write_text(VALID)
    mine = written("extends: ~/valid.yaml\noutput: {dir: ~/runs/x}\nmemory: {reuse: [~/earlier]}")
    config = load_config(mine)
    assert config.output.dir == f"{home}/runs/x"
    assert config.memory.reuse == [f"{home}/earlier"]


def test_an_address_is_no_run_directory(folder: Path) -> None:
    (line,) = problems("valid.yaml", "output.dir=s3://bucket/runs/x")
    expected = "a path on a file system that all nodes share"
    assert line == f"output.dir: expected {expected}, got the address s3://bucket/runs/x"


def test_a_valid_config_gives_plain_dataclasses() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = load_config("valid.yaml", ["seeds.limit=5", "run.deadline_s=60", "judge.both_orders=no"])
    assert type(config) is Config
    assert type(config.models["qwen2.5"]) is ModelConfig
    assert config.models["writer"].kind is EngineKind.fake
    assert (config.seeds.limit, config.run.deadline_s, config.judge.both_orders) == (5, 60.0, False)
    assert config.evolution.policy is PolicyName.thompson
    assert config.pairs == ["keep+direct", "more+direct"]


def test_weights_may_have_8_or_4_bits() -> None:
    config = load_config("valid.yaml", ["scoring.target.quantization=8bit", "scoring.target.dtype=float16"])
    assert (config.scoring.target.quantization, config.scoring.target.dtype) == ("8bit", "float16")
    assert from_yaml(to_yaml(config)) == config


def test_extends_merges_a_file_over_another_relative_to_it() -> None:
    Path("below").mkdir()
    written("{extends: ../valid.yaml, judge: {model: qwen2.5}, run: {seed: 4}}", "below/middle.yaml")
    config = load_config(written("extends: below/middle.yaml\nrun: {attempts: 7}\nmemory:\n"))
    assert (config.judge.model, config.run.seed, config.run.attempts) == ("qwen2.5", 4, 7)
    assert config.memory.embedder == "fake"


def test_circular_extends_is_a_problem() -> None:
    written("extends: b.yaml", "a.yaml")
    written("extends: a.yaml", "b.yaml")
    assert problems("a.yaml") == [
        "extends: expected files that don't extend each other in a circle, got a.yaml > b.yaml > a.yaml"
    ]


def test_extending_a_missing_file_names_it() -> None:
    assert problems(written("extends: gone.yaml")) == ["gone.yaml: expected a file, got no such file"]


def test_a_value_may_refer_to_another_key() -> None:
    config = load_config("valid.yaml", ["output.dir=runs/${run.seed}", "output.title=${judge.model}"])
    assert (config.output.dir, config.output.title) == ("runs/0", "writer")


def test_a_missing_config_file_is_a_problem() -> None:
    assert problems("nowhere.yaml") == ["nowhere.yaml: expected a file, got no such file"]


def test_an_empty_config_file_lists_what_must_be_set() -> None:
    keys = {line.split(": ")[0] for line in problems(written(""))}
    assert {"seeds.path", "judge.model", "scoring.target.model", "scoring.larger.model"} <= keys
    assert {"agents.instruction", "agents.response"} <= keys


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("seeds:\n  path: [a\nrun: {}\n", "config.yaml:3: not YAML: "),
        ("run: {}\nrun: {}\n", "config.yaml:2: not YAML: found duplicate key run"),
        ("- seeds\n", "config.yaml: not YAML: expected a mapping of sections, got a list"),
        (
            "root:x:0:0::/root:/bin/sh\nme:x:1\n",
            "config.yaml: not YAML: expected a mapping of sections, got a string",
        ),
        ("5\n", "config.yaml: not YAML: expected a mapping of sections, got a single value"),
        ("a: !!python/object:os.system x\n", "config.yaml:1: not YAML: could not determine a constructor"),
    ],
)
def test_a_file_that_is_not_a_yaml_mapping_is_one_problem(text: str, line: str) -> None:
    (found,) = problems(written(text))
    assert found.startswith(line)


def test_a_config_that_is_not_utf8_is_a_problem() -> None:
    Path("config.yaml").write_bytes(b"output: {title: \xff}")
    assert problems("config.yaml") == ["config.yaml:1: expected UTF-8, got the byte 0xff"]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("seeds.pth=x", "seeds.pth: unknown key, did you mean seeds.path?"),
        ("models.writer.modle=x", "models.writer.modle: unknown key, did you mean models.writer.model?"),
        ("checkpoint_s=3", "checkpoint_s: unknown key, did you mean run.checkpoint_s?"),
        (
            "evolution.policy=thomson",
            "evolution.policy: expected one of uniform, paper, additive, ucb, thompson, exp3, got 'thomson'",
        ),
        (
            "models.writer.dtype=int3",
            "models.writer.dtype: expected one of auto, float32, bfloat16, float16, got",
        ),
        ("evolution.credit=winners", "evolution.credit: expected one of all, winner, got 'winners'"),
        ("output.resume=maybe", "output.resume: expected one of auto, never, must, got 'maybe'"),
        (
            "scoring.target.quantization=3bit",
            "scoring.target.quantization: expected one of 8bit, 4bit or null, got '3bit'",
        ),
        ("seeds.max_chars=abc", "seeds.max_chars: expected int, got 'abc'"),
        ("seeds.max_chars=1.5", "seeds.max_chars: expected int, got 1.5"),
        ("seeds.limit=abc", "seeds.limit: expected int or null, got 'abc'"),
        ("run.deadline_s=soon", "run.deadline_s: expected a number, got 'soon'"),
        ("run.seed=", "run.seed: expected int, got nothing"),
        ("run.seed=???", "run.seed: expected int, got '???'"),
        ("judge.reason=perhaps", "judge.reason: expected true or false, got 'perhaps'"),
        ("agents.base_pairs=keep+direct", "agents.base_pairs: expected a list of str, got 'keep+direct'"),
        ("models.writer.engine_args=[1]", "models.writer.engine_args: expected a mapping, got [1]"),
        ("models=5", "models: expected a mapping, got 5"),
        ("models.writer=5", "models.writer: expected a mapping, got 5"),
        ("models={1: {}}", "models: expected names, got 1"),
        ("memory=null", "memory: expected a mapping, got nothing; memory.enabled=false turns it off"),
        ("judge=null", "judge: expected a mapping, got nothing"),
        ("models=null", "models: expected a mapping, got nothing; models.NAME=null removes an entry"),
        ("memory=off", "memory: expected a mapping, got False"),
        ("output.title=${nope}", "output.title: Interpolation key 'nope' not found"),
        ("models.writer.engine_args={a: '${nope}'}", "models.writer.engine_args: Interpolation key"),
        ("seeds.limit", "seeds.limit: expected key=value, such as seeds.limit=100"),
        ("=5", "=5: expected key=value"),
        ("seeds..limit=5", "seeds..limit=5: expected key=value"),
        ("seeds.limit=[1", "seeds.limit: expected a value in YAML, got '[1'"),
    ],
)
def test_a_bad_setting_is_a_line_with_its_key(override: str, line: str) -> None:
    assert any(found.startswith(line) for found in problems("valid.yaml", override))


def test_one_bad_setting_hides_no_other() -> None:
    found = problems(
        "valid.yaml",
        "oops",
        "seeds.pth=x",
        "seeds.limit=many",
        "run.attempts=-1",
        "judge.model=writr",
        "models.writer.num_cpus=two",
    )
    assert sorted(line.split(": ")[0] for line in found) == [
        "judge.model",
        "models.writer.num_cpus",
        "oops",
        "run.attempts",
        "seeds.limit",
        "seeds.pth",
    ]


def test_a_key_with_a_problem_is_named_once() -> None:
    assert problems("valid.yaml", "judge.model=[1]") == ["judge.model: expected str, got [1]"]


def test_a_key_that_occurs_in_another_problem_is_still_reported() -> None:
    found = problems("valid.yaml", "output.title=[judge.model]", "judge.model=writr")
    assert [line.split(": ")[0] for line in found] == ["output.title", "judge.model"]


def test_a_setting_that_a_misspelled_key_means_is_not_reported_as_missing() -> None:
    path = written("extends: valid.yaml\nseeds: {path: ''}")
    assert problems(path, "seeds.pth=x") == ["seeds.pth: unknown key, did you mean seeds.path?"]


def test_a_huge_value_is_cut_in_the_message() -> None:
    (line,) = problems("valid.yaml", f"run.seed={'x' * 5000}")
    assert len(line) < 200
    assert "5002 characters" in line


def test_a_saved_config_loads_again_as_it_was() -> None:
    config = load_config("valid.yaml", ["models.writer.engine_args={seed: 3, x: null, y: {z: [1, fp8]}}"])
    assert load_config(written(to_yaml(config))) == config
    assert from_yaml(to_yaml(config)) == config


@settings(deadline=None, max_examples=30)
@given(st.text() | st.text(st.sampled_from("${}\\:.'\"- \n?#@1e"), max_size=10))
def test_any_text_survives_saving(text: str) -> None:
    assume(text != "???")
    config = Config(models={"a.b": ModelConfig(engine_args={"text": text})}, output=OutputConfig(title=text))
    assert from_yaml(to_yaml(config)) == config


def test_any_text_survives_a_change_of_another_setting() -> None:
    config = load_config("valid.yaml", [r"output.title='Price in \\\${USD}'"])
    assert "${USD}" in config.output.title
    changed = with_overrides(config, ["run.seed=7"])
    assert (changed.output.title, changed.run.seed) == (config.output.title, 7)


def test_a_damaged_saved_config_is_bad_input() -> None:
    for text in ("seeds: [", "seeds: {pth: 1}", "[]"):
        with pytest.raises(BadInput):
            from_yaml(text)


def test_a_file_extends_several_later_ones_over_earlier_ones(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("run: {seed: 1, attempts: 5}\nevolution: {draws: 3}")
    (tmp_path / "b.yaml").write_text("run: {seed: 2}")
    (tmp_path / "c.yaml").write_text("extends: [a.yaml, b.yaml]\nevolution: {draws: 1}")
    problems: list[str] = []
    tree = read_file(tmp_path / "c.yaml", problems)
    assert tree == {"run": {"seed": 2, "attempts": 5}, "evolution": {"draws": 1}}
    (tmp_path / "c.yaml").write_text("extends: [a.yaml, 3]")
    read_file(tmp_path / "c.yaml", problems)
    assert len(problems) == 1
    assert "a file name or a list of them, got ['a.yaml', 3]" in problems[0]


def test_a_long_chain_of_references_is_refused_quickly(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"seeds:\n  path: '{'${' * 3000}'\n")
    with pytest.raises(BadInput, match="at most 1000 characters in a line with a reference, got 60"):
        load_config(tmp_path / "c.yaml")
    with pytest.raises(BadInput, match="expected a value in YAML"):
        load_config(FAKE, ["seeds.path=" + "${" * 3000])


def test_an_unquoted_on_or_off_is_the_name_and_not_a_truth_value(folder: Path) -> None:
    (folder / "plain.yaml").write_text(
        VALID.replace("writer: {kind: fake}", "writer: {kind: fake, reasoning: off}")
        + "filters: {near_duplicates: off}\n"
    )
    config = load_config("plain.yaml", ["models[qwen2.5].reasoning=on", "filters.duplicates=off"])
    assert [model.reasoning for model in config.models.values()] == ["off", "on"]
    assert (config.filters.near_duplicates, config.filters.duplicates) == ("off", "off")
    assert from_yaml(to_yaml(config)) == config
    with pytest.raises(BadInput, match=r"filters.duplicates: expected one of off, flag, drop, got True"):
        load_config("plain.yaml", ["filters.duplicates=on"])
