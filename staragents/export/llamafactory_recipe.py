"""The training config for LLaMA-Factory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from staragents.export.exporter import Exported
from staragents.export.recipe import MAX_LENGTH, SFT_RATE, Recipe, output_folder

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
        "dataset": dataset_name(exported.train),
        **({"eval_dataset": dataset_name(exported.validation)} if exported.validation else {}),
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


def dataset_name(path: Path) -> str:
    """The name of an exported file in dataset_info.json."""
    # LLaMA-Factory would split the name at a comma.
    return re.sub(r"[^\w-]+", "_", path.stem)
