"""The training config for LLaMA-Factory, and the dataset_info.json in which it looks up files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from staragents.base.errors import BadInput
from staragents.export.exporter import Exported
from staragents.export.recipe import MAX_LENGTH, SFT_RATE, Recipe, output_folder
from staragents.files.atomic_file import write_json

LLAMAFACTORY_TEMPLATES = (
    ("qwen3", "qwen3"),
    ("qwen", "qwen"),
    ("llama-?4", "llama4"),
    ("llama-?3", "llama3"),
    ("llama-?2", "llama2"),
    ("gemma-?4", "gemma4"),
    ("gemma-?3", "gemma3"),
    ("gemma-?2", "gemma2"),
    ("gemma", "gemma"),
    ("smollm2", "smollm2"),
    ("mistral", "mistral"),
    ("phi-?4", "phi4"),
    ("deepseek-r1", "deepseekr1"),
    ("olmo", "olmo"),
)
"""Patterns of model names and LLaMA-Factory's template names: the first match, else `default`."""

CHAT_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "system_tag": "system",
}
SHAREGPT_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "tool",
    "system_tag": "system",
}
LLAMAFACTORY_COLUMNS: dict[str, dict[str, Any]] = {
    "messages": {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": CHAT_TAGS},
    "sharegpt": {"formatting": "sharegpt", "columns": {"messages": "conversations"}, "tags": SHAREGPT_TAGS},
    "alpaca": {
        "formatting": "alpaca",
        "columns": {"prompt": "instruction", "query": "input", "response": "output"},
    },
    "prompt-completion": {
        "formatting": "alpaca",
        "columns": {"prompt": "prompt", "response": "completion"},
    },
}
"""Without dpo and kto: LLaMA-Factory expects one turn in `chosen`, TRL and Axolotl a list of turns."""


def llamafactory_recipe(exported: Exported, model: str) -> Recipe | None:
    if exported.format not in LLAMAFACTORY_COLUMNS:
        return None
    has_validation = exported.validation is not None
    settings = {
        "model_name_or_path": model,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_rank": 16,
        "lora_target": "all",
        "dataset_dir": str(exported.train.parent),
        "dataset": _dataset_name(exported.train),
        **({"eval_dataset": _dataset_name(exported.validation)} if exported.validation else {}),
        **({"eval_strategy": "epoch"} if has_validation else {}),
        "template": llamafactory_template(model),
        "cutoff_len": MAX_LENGTH,
        "learning_rate": SFT_RATE,
        "lr_scheduler_type": "cosine",
        "num_train_epochs": 1.0,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 8,
        "bf16": True,
        "logging_steps": 10,
        "output_dir": output_folder(exported, "llamafactory"),
    }
    note = "The template is guessed from the model's name: check it in LLaMA-Factory's list of models."
    ignored = (
        f"LLaMA-Factory reads no reasoning_content: {exported.reasoning:,} answers are trained on without "
        "their reasoning."
    )
    notes = (note, *([ignored] * (exported.reasoning > 0)))
    return Recipe("llamafactory", "llamafactory-cli train {path}", settings, notes)


def llamafactory_template(model: str) -> str:
    name = model.lower()
    return next((template for part, template in LLAMAFACTORY_TEMPLATES if re.search(part, name)), "default")


def write_dataset_info(exported: Exported) -> Path:
    """Add the export's files to the dataset_info.json in their folder; returns its path. Raises BadInput."""
    path = exported.train.parent / "dataset_info.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = {}
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: can't add the dataset to it: {error}; repair it or move it away") from error
    if not isinstance(known, dict):
        raise BadInput(f"{path}: expected a JSON object, got {type(known).__name__}; move it away")
    shape = LLAMAFACTORY_COLUMNS[exported.format]
    for file, _ in exported.files.values():
        known[_dataset_name(file)] = {"file_name": file.name, **shape}
    write_json(path, known)
    return path


def _dataset_name(path: Path | None) -> str:
    # LLaMA-Factory would split the name at a comma.
    return "" if path is None else re.sub(r"[^\w-]+", "_", path.stem)
