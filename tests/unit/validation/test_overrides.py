"""How single settings change those of a file, on the command line and in files that extend others."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.config.tree import declared, entry_kind, leaves
from staragents.data.seed_file import SeedFile
from staragents.validation.loading import load_config
from staragents.validation.merging import read_overrides
from tests.support.config_files import VALID, problems, written
from tests.support.paths import FAKE

pytestmark = pytest.mark.usefixtures("folder")


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
