"""The training config for TRL."""

from __future__ import annotations

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


def trl_recipe(exported: Exported, model: str) -> Recipe | None:
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
        "datasets": [
            {"path": builder_of(exported.train), "data_files": str(exported.train), "split": "train"}
        ],
        "max_length": MAX_LENGTH,
        "use_peft": True,
        "lora_r": 16,
        "lora_alpha": 32,
        "learning_rate": RATES.get(exported.format, SFT_RATE),
        "num_train_epochs": 1,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 8,
        "logging_steps": 10,
        "output_dir": output_folder(exported, "trl"),
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
