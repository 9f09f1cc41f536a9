"""The training config for Axolotl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from staragents.base.messages import REASONING
from staragents.export.exporter import Exported
from staragents.export.recipe import (
    MAX_LENGTH,
    RATES,
    SFT_RATE,
    Recipe,
    builder_of,
    output_folder,
    thinking_key,
)

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


def axolotl_recipe(exported: Exported, model: str) -> Recipe | None:
    kind = AXOLOTL_TYPES.get(exported.format)
    if kind is None:
        return None
    is_chat = exported.format in ("messages", "sharegpt", "dpo")

    kind = {**kind, **_axolotl_thinking(exported, model)}

    def dataset(path: Path) -> dict[str, Any]:
        return {"path": str(path), "ds_type": builder_of(path), "split": "train", **kind}

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
        "output_dir": output_folder(exported, "axolotl"),
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
