"""Reading configs: files, extends, overrides, and reports of every problem."""

from __future__ import annotations

import re
import typing
import warnings
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.config import Config, EngineKind, ModelConfig, OutputConfig, PolicyName
from staragents.config.tree import declared, entry_kind, leaves
from staragents.data.seed_file import SeedFile
from staragents.validation.loading import from_yaml, load_config, to_yaml, with_overrides
from staragents.validation.merging import read_file, read_overrides
from tests.support.paths import FAKE

VALID = """
seeds: {path: "bundled:self-instruct"}
models:
  writer: {kind: fake}
  qwen2.5: {kind: fake}
agents:
  instruction:
    keep: {prompt: keep}
    more: {model: writer, prompt: rewrite.j2}
  response:
    direct: {model: qwen2.5, prompt: rewrite.j2}
  base_pairs: [keep+direct]
evolution: {draws: 1}
scoring: {target: {model: fake}, larger: {model: fake}}
judge: {model: writer}
memory: {embedder: fake}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with one valid config and a prompt."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "valid.yaml").write_text(VALID)
    (tmp_path / "rewrite.j2").write_text("Rewrite: {{ instruction }}")
    return tmp_path


def problems(path: str | Path, *overrides: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        load_config(path, overrides)
    return caught.value.problems


def written(text: str, name: str = "config.yaml") -> str:
    Path(name).write_text(text)
    return name


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


def test_later_overrides_win() -> None:
    config = load_config("valid.yaml", ["run.seed=1", "run={seed: 2, attempts: 5}", "run.seed=3"])
    assert (config.run.seed, config.run.attempts) == (3, 5)


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("seeds.columns.response=01", "01"),
        ("seeds.columns.response=yes", "yes"),
        ("seeds.columns.response=1e3", "1e3"),
        ("seeds.columns.response=01 # first", "01 # first"),
        ("seeds.columns.response=null # none", None),
        ("seeds.columns.response=~ # none", None),
        ("seeds.columns.response= # none", None),
        ("seeds.columns={response: 01}", "01"),
        ("seeds={columns: {response: off}}", "off"),
        ("seeds.columns.response='no'", "no"),
        ('seeds.columns.response="a\\tb"', "a\tb"),
        ("seeds.columns.response=null", None),
        ("seeds.columns.response=", None),
        *((f"seeds.columns.{name}=", "") for name in ("input", "history", "system", "reasoning", "label")),
        ("seeds.columns.label= ", ""),
        ("seeds.columns.label=null", None),
        ("seeds.encoding=", None),
        ("output.title=", ""),
        ("output.title=2026", "2026"),
        ("models[qwen2.5].model=007", "007"),
        ("agents.retired=[01, yes, 'on']", ["01", "yes", "on"]),
        ("agents.pairs=[01]", ["01"]),
        ("models.writer.engine_args.a=01", 1),
        ("models.writer.engine_args={a: yes}", True),
        ("seeds.limit=010", 8),
        ("seeds.strict=yes", True),
    ],
)
def test_the_value_of_an_override_has_the_type_of_its_setting(override: str, read: object) -> None:
    found: list[str] = []
    ((_, value),) = leaves(read_overrides([override], found))
    assert (type(value), value, found) == (type(read), read, [])


def test_a_column_without_a_name_turns_its_detection_off(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "Ask.", "completion": "Say.", "label": false}\n')
    config = load_config(FAKE, [f"seeds.path={path}", "seeds.columns.label="])
    assert SeedFile(config.seeds).scan().seeds == 1
    with pytest.raises(BadInput, match="expected a wanted answer"):
        SeedFile(load_config(FAKE, [f"seeds.path={path}"]).seeds).scan()


def test_extends_merges_a_file_over_another_relative_to_it() -> None:
    Path("below").mkdir()
    written("{extends: ../valid.yaml, judge: {model: qwen2.5}, run: {seed: 4}}", "below/middle.yaml")
    config = load_config(written("extends: below/middle.yaml\nrun: {attempts: 7}\nmemory:\n"))
    assert (config.judge.model, config.run.seed, config.run.attempts) == ("qwen2.5", 4, 7)
    assert config.memory.embedder == "fake"


@pytest.mark.parametrize("in_file", [True, False])
def test_null_removes_an_entry_and_clears_a_mapping_that_is_not_ours(in_file: bool) -> None:
    """Both changed nothing, so what a file extends could not be left out."""
    written(
        VALID.replace("writer: {kind: fake}", "writer: {kind: fake, engine_args: {a: 1}, resources: {b: 1}}")
        + "run: {seed: 3}\n",
        "below.yaml",
    )
    if in_file:
        nothing = "{writer: {engine_args: {}, resources: null}, qwen2.5: null}"
        agents = "{response: {direct: {model: writer}}}"
        config = load_config(written(f"extends: below.yaml\nmodels: {nothing}\nagents: {agents}\nrun:\n"))
    else:
        nothing = ["models.writer.engine_args={}", "models.writer.resources=null", "models.qwen2.5=null"]
        config = load_config("below.yaml", ["agents.response.direct.model=writer", *nothing])
    assert list(config.models) == ["writer"]
    assert (config.models["writer"].engine_args, config.models["writer"].resources) == ({}, {})
    assert config.run.seed == 3, "an empty section in a file changes nothing"


def test_overrides_follow_one_another() -> None:
    again = [
        "models.qwen2.5=null",
        "models[qwen2.5]={kind: fake, price_in: 2}",
        "models.qwen2.5.price_out=3",
    ]
    config = load_config("valid.yaml", ["models.qwen2.5.chat_template_kwargs={a: 1}", *again])
    model = config.models["qwen2.5"]
    assert (model.price_in, model.price_out, model.chat_template_kwargs) == (2.0, 3.0, {})


def test_the_name_of_a_new_entry_with_a_dot_is_written_in_brackets() -> None:
    line = problems("valid.yaml", "models.qwen3.5={kind: fake}")[0]
    assert line.endswith("; an entry with the name qwen3.5 is models[qwen3.5]")
    assert problems("valid.yaml", "models.writer.fake.xyz=1")[0].endswith("refusal_rate, thinks")
    assert "qwen3.5" in load_config("valid.yaml", ["models[qwen3.5]={kind: fake}"]).models


def _text_lists(kind: type, above: str = "") -> Iterator[str]:
    for name, field in declared(kind).items():
        below = entry_kind(field.hint) or field.hint
        entry = ".more" if entry_kind(field.hint) else ""
        if is_dataclass(below):
            yield from _text_lists(typing.cast(type, below), f"{above}{name}{entry}.")
        elif list[str] in (field.hint, *typing.get_args(field.hint)):
            yield f"{above}{name}"


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ("[a]", r"\['a'\]"),
        ("{a: b}", r"{'a': 'b'}; quote it"),
        ("null", "nothing"),
    ],
)
@pytest.mark.parametrize("key", list(_text_lists(Config)))
def test_an_item_of_a_list_of_texts_is_a_text(key: str, item: str, shown: str) -> None:
    """OmegaConf takes them, and the engine or our own code failed later."""
    lines = problems("valid.yaml", f"{key}=[x, {item}]")
    assert any(re.fullmatch(rf"{re.escape(key)}\[1\]: expected text, got {shown}", line) for line in lines)


def test_a_truth_value_in_a_list_of_texts_of_a_file_is_a_problem() -> None:
    written("extends: valid.yaml\nagents: {retired: [yes]}", "more.yaml")
    assert "agents.retired[0]: expected text, got True; quote it" in problems("more.yaml")


def test_what_follows_a_hash_belongs_to_a_text() -> None:
    config = load_config(
        "valid.yaml", ["output.title=Data # 2", "output.dir=runs/try #3", "run.seed=4 # four"]
    )
    assert (config.output.title, config.output.dir, config.run.seed) == ("Data # 2", "runs/try #3", 4)
    assert load_config("valid.yaml", ["output.title='a' # b"]).output.title == "a"


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
