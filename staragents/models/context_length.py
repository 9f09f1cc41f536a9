"""The longest context that a model's own config.json allows, without loading it or contacting a hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from staragents.models.model_size import find_file

# The names that vLLM 0.32 reads, and its rule: the smallest of them, but model_max_length wins.
LENGTHS = (
    "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_target_positions",
    "max_sequence_length", "max_seq_length", "seq_len",
)  # fmt: skip
OF_TEXTS = ("text_config", "llm_config", "language_config", "thinker_config")
OVERRIDE = "model_max_length"
# With these, the length in config.json is already the scaled one.
SCALED = {"su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"}


def longest_context(model: str) -> tuple[int, str] | None:
    """Tokens, and the name in config.json that says so, of a model by its name in a config: a folder, a
    converted packaged model, a cached hub id. None if it is unknown or unlimited."""
    file = find_file(model, "config.json")
    if file is None:
        return None
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        text = _of_texts(config)
        found = {name: int(text[name]) for name in LENGTHS if text.get(name) is not None}
        if text.get(OVERRIDE):
            found = {OVERRIDE: int(text[OVERRIDE])}
        if not found:
            return None
        name = min(found, key=lambda one: found[one])
        scaling = 1.0 if "gemma3" in str(config.get("model_type")) else _scaling(text)
        return int(found[name] * scaling), name
    except (OSError, ValueError, TypeError, AttributeError):
        # Not a format we can read; the engine reports problems itself.
        return None


def _of_texts(config: dict[str, Any]) -> dict[str, Any]:
    """The part about the language model, which models for images or speech keep below a name."""
    below = next((config[name] for name in OF_TEXTS if isinstance(config.get(name), dict)), None)
    return _of_texts(below) if below else config


def _scaling(config: dict[str, Any]) -> float:
    factors = [
        float(rope["factor"])
        for rope in _ropes(config)
        if rope.get("factor") and (rope.get("rope_type") or rope.get("type")) not in SCALED
    ]
    return max(factors, default=1.0)


def _ropes(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rotary parameters, which some models have for each type of layer."""
    for key in ("rope_scaling", "rope_parameters"):
        rope = config.get(key) or {}
        yield rope
        yield from (one for one in rope.values() if isinstance(one, dict))
