"""Writes training configs next to an exported file: TRL, Axolotl and LLaMA-Factory, with file and template.

Each is a working start with LoRA and common hyperparameters. Trainers that can't read the format get none.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from staragents.base.errors import BadInput
from staragents.base.messages import REASONING
from staragents.config import Config
from staragents.export.exporter import Exported
from staragents.files.atomic_file import write_json, write_text
from staragents.models.model_names import HUB_ID
from staragents.models.packaged_models import ALIASES, PACKAGED
from staragents.text.printable import one_line

UNKNOWN_MODEL = "YOUR-MODEL"
MAX_LENGTH = 2048
RATES = {"dpo": 5e-6, "kto": 5e-6}
SFT_RATE = 1e-4

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


def model_to_train(config: Config) -> str:
    """The run's target model as a hub id or path that trainers accept, or UNKNOWN_MODEL."""
    name = config.scoring.target.model
    packaged = PACKAGED.get(ALIASES.get(name, name))
    if packaged is not None:
        found = HUB_ID.match(packaged.source)
        return found[0] if found else UNKNOWN_MODEL
    return UNKNOWN_MODEL if name in ("", "fake") else name


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training config. `command` starts the trainer with it."""

    trainer: str
    command: str
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()

    def text(self, path: Path) -> str:
        start = self.command.format(path=shlex.quote(str(path)))
        head = [f"Made by staragents export. Start: {start}", *self.notes]
        return "".join(f"# {one_line(line)}\n" for line in head) + yaml.safe_dump(
            self.settings, sort_keys=False, allow_unicode=True, width=1_000
        )


def write_recipes(exported: Exported, model: str) -> list[Path]:
    """Write `F.TRAINER.yaml` for every trainer that reads the format, and LLaMA-Factory's dataset_info.json.

    Paths have the form of the export's own: relative to its working directory if it was given so. Other
    entries of dataset_info.json stay. Returns the written paths. Raises BadInput if that file can't be read.
    """
    written = []
    for recipe in _recipes(exported, model):
        path = exported.train.with_suffix(f".{recipe.trainer}.yaml")
        write_text(path, recipe.text(path))
        written.append(path)
        if recipe.trainer == "llamafactory":
            written.append(_write_dataset_info(exported))
    return written


def _recipes(exported: Exported, model: str) -> Iterator[Recipe]:
    makers: tuple[Callable[[Exported, str], Recipe | None], ...] = (_trl, _axolotl, _llamafactory)
    yield from filter(None, (maker(exported, model) for maker in makers))


def _trl(exported: Exported, model: str) -> Recipe | None:
    # TRL's chat templates don't support ShareGPT's role names, and TRL does not read Alpaca.
    verb = {"messages": "sft", "prompt-completion": "sft", "dpo": "dpo", "kto": "kto"}.get(exported.format)
    if verb is None:
        return None
    template = (
        "Template: none, the texts are used unchanged."
        if exported.format == "prompt-completion"
        else "Template: the tokenizer's own; for a base model without one, set chat_template_path (sft)."
    )
    settings = {
        "model_name_or_path": model,
        "datasets": [{"path": _builder(exported.train), "data_files": str(exported.train), "split": "train"}],
        "max_length": MAX_LENGTH,
        "use_peft": True,
        "lora_r": 16,
        "lora_alpha": 32,
        "learning_rate": RATES.get(exported.format, SFT_RATE),
        "num_train_epochs": 1,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 8,
        "logging_steps": 10,
        "output_dir": _output(exported, "trl"),
    }
    validation = "trl's command accepts no second file; the validation rows are for your own evaluation."
    notes = (
        template,
        *([validation] * (exported.validation is not None)),
        *_reasoning_notes(exported, model),
    )
    return Recipe("trl", f"trl {verb} --config {{path}}", settings, notes)


def _reasoning_notes(exported: Exported, model: str) -> tuple[str, ...]:
    """TRL hands every key of a turn to the chat template."""
    if not exported.reasoning:
        return ()
    note = (
        f"{exported.reasoning:,} rows have reasoning_content, which counts only if the model's chat template "
        "reads that key, as those of Qwen3 and GLM-4.5 do."
    )
    if thinking_key(model) == REASONING:
        return (note,)
    return (f"{note} That of {model} reads {thinking_key(model)}: rename the key in the file first.",)


def thinking_key(model: str) -> str:
    """The key of a turn from which the chat template of `model` takes reasoning, guessed from its name."""
    return "thinking" if "gpt-oss" in model.lower() else REASONING


AXOLOTL_ROLES = {"system": ["system"], "user": ["human"], "assistant": ["gpt"], "tool": ["tool"]}
AXOLOTL_TYPES: dict[str, dict[str, Any]] = {
    "messages": {"type": "chat_template", "field_messages": "messages", "roles_to_train": ["assistant"]},
    "sharegpt": {
        "type": "chat_template",
        "field_messages": "conversations",
        "message_property_mappings": {"role": "from", "content": "value"},
        "roles": AXOLOTL_ROLES,
        "roles_to_train": ["assistant"],
    },
    "alpaca": {"type": "alpaca"},
    "prompt-completion": {
        "type": {
            "field_instruction": "prompt",
            "field_output": "completion",
            "format": "{instruction}",
            "no_input_format": "{instruction}",
        }
    },
    "dpo": {
        "type": "chat_template.default",
        "field_messages": "prompt",
        "field_chosen": "chosen",
        "field_rejected": "rejected",
    },
}


def _axolotl(exported: Exported, model: str) -> Recipe | None:
    kind = AXOLOTL_TYPES.get(exported.format)
    if kind is None:
        return None
    is_chat = exported.format in ("messages", "sharegpt", "dpo")

    kind = {**kind, **_axolotl_thinking(exported, model)}

    def dataset(path: Path) -> dict[str, Any]:
        return {"path": str(path), "ds_type": _builder(path), "split": "train", **kind}

    settings = {
        "base_model": model,
        **({"rl": "dpo"} if exported.format == "dpo" else {}),
        **({"chat_template": "tokenizer_default_fallback_chatml"} if is_chat else {}),
        "datasets": [dataset(exported.train)],
        **({"test_datasets": [dataset(exported.validation)]} if exported.validation else {}),
        "sequence_len": MAX_LENGTH,
        "train_on_inputs": False,
        "adapter": "lora",
        "lora_r": 16,
        "lora_alpha": 32,
        "lora_target_linear": True,
        "learning_rate": RATES.get(exported.format, SFT_RATE),
        "lr_scheduler": "cosine",
        "optimizer": "adamw_torch",
        "num_epochs": 1,
        "micro_batch_size": 2,
        "gradient_accumulation_steps": 8,
        "bf16": "auto",
        "output_dir": _output(exported, "axolotl"),
    }
    return Recipe("axolotl", "axolotl train {path}", settings, _axolotl_notes(exported))


def _axolotl_thinking(exported: Exported, model: str) -> dict[str, Any]:
    """Where the turn's reasoning is and where the chat template expects it, if a row has any."""
    key = thinking_key(model)
    if not exported.reasoning:
        return {}
    if exported.format == "messages":
        return {"field_thinking": REASONING, "template_thinking_key": key}
    if exported.format == "sharegpt":
        return {"message_property_mappings": {"role": "from", "content": "value", key: REASONING}}
    return {}


def _axolotl_notes(exported: Exported) -> tuple[str, ...]:
    if not exported.reasoning:
        return ()
    if exported.format == "dpo":
        return (
            "Axolotl's DPO reads role and content of a turn only: pairs are trained on without reasoning.",
        )
    return ("Reasoning counts only if the model's chat template reads it, as those of Qwen3 and GLM-4.5 do.",)


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


def _llamafactory(exported: Exported, model: str) -> Recipe | None:
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
        "output_dir": _output(exported, "llamafactory"),
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


def _write_dataset_info(exported: Exported) -> Path:
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


def _builder(path: Path) -> str:
    return "parquet" if path.suffix == ".parquet" else "json"


def _output(exported: Exported, trainer: str) -> str:
    return f"outputs/{exported.train.stem}-{trainer}"
