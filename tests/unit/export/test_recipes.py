"""Training configs beside an exported file, checked by the real TRL and by schemas of the other two."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml
from datasets import load_dataset

from staragents.analysis.saved_run import SavedRun
from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.data.formats.known import FORMATS
from staragents.export.exporter import Exported, export
from staragents.export.llamafactory_recipe import LLAMAFACTORY_TEMPLATES, llamafactory_template
from staragents.export.recipes import model_to_train, write_recipes
from tests.support.paths import SUPPORT

pytestmark = pytest.mark.slow

SCHEMAS = json.loads((SUPPORT / "trainer_schemas.json").read_text())
TRAINERS = {
    "messages": {"trl", "axolotl", "llamafactory"},
    "sharegpt": {"axolotl", "llamafactory"},
    "alpaca": {"axolotl", "llamafactory"},
    "prompt-completion": {"trl", "axolotl", "llamafactory"},
    "dpo": {"trl", "axolotl"},
    "kto": {"trl"},
}


def exported(run: Path, folder: Path, name: str, suffix: str = "jsonl") -> Exported:
    done = export(SavedRun.open(run), name, folder / f"data.{suffix}", validation=0.3)
    done.recipes = write_recipes(done, "Qwen/Qwen3-0.6B")
    return done


def settings(done: Exported, trainer: str) -> dict:
    return yaml.safe_load(done.train.with_suffix(f".{trainer}.yaml").read_text())


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_has_configs_of_the_trainers_that_read_it(
    finished_run: Path, tmp_path: Path, name: str
) -> None:
    done = exported(finished_run, tmp_path, name)
    found = {path.suffixes[-2][1:] for path in done.recipes if path.suffix == ".yaml"}
    assert found == TRAINERS[name]
    assert all(path.is_file() for path in done.recipes)


@pytest.mark.parametrize("name", [name for name, trainers in TRAINERS.items() if "trl" in trainers])
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_trl_reads_its_config_and_the_file(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    trl = pytest.importorskip("trl", reason="needs the package trl")
    from trl.scripts import dpo, kto, sft

    monkeypatch.chdir(tmp_path)
    done = exported(finished_run, Path("out"), name, suffix)
    path = done.train.with_suffix(".trl.yaml")
    script = {"dpo": dpo, "kto": kto}.get(name, sft)
    verb = "sft" if name in ("messages", "prompt-completion") else name
    assert f"trl {verb} --config {path}" in path.read_text()
    parser = script.make_parser()
    *arguments, unknown = parser.parse_args_and_config(
        ["--config", str(path), "--use_cpu", "--bf16", "false"], return_remaining_strings=True
    )
    mixture = next(argument for argument in arguments if isinstance(argument, trl.DatasetMixtureConfig))
    model = next(argument for argument in arguments if isinstance(argument, trl.ModelConfig))
    assert not unknown
    assert model.model_name_or_path == "Qwen/Qwen3-0.6B"
    train = trl.get_dataset(mixture)["train"]
    assert train.num_rows == done.files["train"][1]
    assert trl.data_utils.is_conversational(train[0]) == (name != "prompt-completion")


@pytest.mark.parametrize("name", [name for name, trainers in TRAINERS.items() if "axolotl" in trainers])
def test_axolotl_configs_have_its_keys_and_point_at_existing_columns(
    finished_run: Path, tmp_path: Path, name: str
) -> None:
    done = exported(finished_run, tmp_path, name)
    found = settings(done, "axolotl")
    jsonschema.validate(found, SCHEMAS["axolotl"])
    for key, split in (("datasets", "train"), ("test_datasets", "validation")):
        (entry,) = found[key]
        rows = load_dataset(
            entry["ds_type"], data_files=entry["path"], split=entry["split"], cache_dir=str(tmp_path / "c")
        )
        assert rows.num_rows == done.files[split][1]
        kind = entry["type"] if isinstance(entry["type"], dict) else entry
        named = {value for field, value in kind.items() if field.startswith("field_")}
        assert named <= set(rows.column_names)
        turns = entry.get("field_messages")
        if turns:
            keys = set(
                entry.get("message_property_mappings", {"role": "role", "content": "content"}).values()
            )
            assert keys == set(rows[0][turns][0])
    assert ("chat_template" in found) == (name in ("messages", "sharegpt", "dpo"))
    assert found.get("rl") == ("dpo" if name == "dpo" else None)


@pytest.mark.parametrize("name", [name for name, trainers in TRAINERS.items() if "llamafactory" in trainers])
def test_llamafactory_finds_its_datasets_by_dataset_info(
    finished_run: Path, tmp_path: Path, name: str
) -> None:
    done = exported(finished_run, tmp_path, name)
    found = settings(done, "llamafactory")
    jsonschema.validate(found, SCHEMAS["llamafactory"])
    assert found["template"] == "qwen3"
    info = json.loads((Path(found["dataset_dir"]) / "dataset_info.json").read_text())
    jsonschema.validate(info, SCHEMAS["dataset_info"])
    for key, split in (("dataset", "train"), ("eval_dataset", "validation")):
        entry = info[found[key]]
        file = Path(found["dataset_dir"]) / entry["file_name"]
        rows = load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path / "c"))
        assert rows.num_rows == done.files[split][1]
        assert set(entry["columns"].values()) <= set(rows.column_names)
        if entry["formatting"] == "sharegpt":
            turn = rows[0][entry["columns"]["messages"]][0]
            assert set(turn) == {entry["tags"]["role_tag"], entry["tags"]["content_tag"]}
            assert turn[entry["tags"]["role_tag"]] == entry["tags"]["user_tag"]


def test_other_entries_of_dataset_info_are_kept(finished_run: Path, tmp_path: Path) -> None:
    mine = {"mine": {"file_name": "mine.json", "formatting": "alpaca", "columns": {}}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(mine))
    exported(finished_run, tmp_path, "messages")
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert set(info) == {"mine", "data", "data_validation"}


def test_an_export_in_another_format_removes_configs_and_entries_of_the_earlier_one(
    finished_run: Path, tmp_path: Path
) -> None:
    exported(finished_run, tmp_path, "messages")
    done = exported(finished_run, tmp_path, "kto")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "data.jsonl",
        "data.trl.yaml",
        "data.validation.jsonl",
    ]
    assert {path.name for path in done.removed} == {"data.axolotl.yaml", "data.llamafactory.yaml"}


@pytest.mark.parametrize(
    ("later", "suffix"), [("kto", "jsonl"), ("messages", "jsonl"), ("messages", "parquet")]
)
@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("num_epochs: 1", "num_epochs: 7"),
        lambda text: text + "wandb_project: mine\n",
        lambda text: f"{text.splitlines()[0]}\n# mine\n" + text.partition("\n")[2],
        lambda text: "\n".join(text.splitlines()[:-1]) + "\n",
    ],
)
def test_a_config_that_was_edited_stays(
    finished_run: Path, tmp_path: Path, edit: Callable[[str], str], later: str, suffix: str
) -> None:
    first = exported(finished_run, tmp_path, "messages")
    config = tmp_path / "data.axolotl.yaml"
    edited = edit(config.read_text())
    assert edited != config.read_text()
    config.write_text(edited)
    done = exported(finished_run, tmp_path, later, suffix)
    assert config.read_text() == edited
    assert done.edited == [config]
    assert config not in [*done.removed, *done.recipes]
    assert first.edited == []


def test_configs_and_entries_of_others_outlive_an_export_in_another_format(
    finished_run: Path, tmp_path: Path
) -> None:
    first = exported(finished_run, tmp_path, "messages")
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    info["data"]["ranking"] = False
    other = export(SavedRun.open(finished_run), "messages", tmp_path / "other.jsonl")
    write_recipes(other, "m")
    info["other"] = json.loads((tmp_path / "dataset_info.json").read_text())["other"]
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    (tmp_path / "data.axolotl.yaml").write_text("base_model: mine\n")
    exported(finished_run, tmp_path, "kto")
    del info["data_validation"]
    assert json.loads((tmp_path / "dataset_info.json").read_text()) == info
    assert (tmp_path / "data.axolotl.yaml").read_text() == "base_model: mine\n"
    assert not first.train.with_suffix(".llamafactory.yaml").exists()
    assert other.train.with_suffix(".llamafactory.yaml").exists()


def test_an_export_without_validation_removes_its_entry(finished_run: Path, tmp_path: Path) -> None:
    exported(finished_run, tmp_path, "messages")
    done = export(SavedRun.open(finished_run), "sharegpt", tmp_path / "data.jsonl")
    write_recipes(done, "m")
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert {name: entry["columns"] for name, entry in info.items()} == {"data": {"messages": "conversations"}}


@pytest.mark.parametrize(
    ("text", "problem"), [('{"mine": {', "can't add"), ("[]", "expected a JSON object, got list")]
)
def test_a_dataset_info_that_cannot_be_read_is_left_alone(
    finished_run: Path, tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "dataset_info.json").write_text(text)
    with pytest.raises(BadInput, match=problem):
        exported(finished_run, tmp_path, "messages")
    exported(finished_run, tmp_path, "kto")
    assert (tmp_path / "dataset_info.json").read_text() == text


def test_the_model_to_train_is_the_target_model_by_its_public_name() -> None:
    config = Config()
    for name, public in {
        "packaged:smollm2-135m-instruct": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "packaged:gemma3-270m": "google/gemma-3-270m",
        "Qwen/Qwen3-4B": "Qwen/Qwen3-4B",
        "fake": "YOUR-MODEL",
    }.items():
        config.scoring.target.model = name
        assert model_to_train(config) == public


def test_templates_are_names_that_llamafactory_has() -> None:
    known = SCHEMAS["llamafactory"]["properties"]["template"]["enum"]
    assert {template for _, template in LLAMAFACTORY_TEMPLATES} | {"default"} == set(known)
    assert llamafactory_template("meta-llama/Llama-3.1-8B-Instruct") == "llama3"
    assert llamafactory_template("Qwen/Qwen2.5-7B") == "qwen"
    assert llamafactory_template("my/own") == "default"
