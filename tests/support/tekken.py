"""A repository of Mistral's own form: tekken.json and no file of Hugging Face's tokenizers."""

from __future__ import annotations

import json
from pathlib import Path


def save_tekken(folder: Path) -> Path:
    """The first 300 words of a vocabulary of mistral-common, and a config of the model."""
    import mistral_common

    shipped = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
    whole = json.loads(shipped.read_text(encoding="utf-8"))
    special = whole["config"]["default_num_special_tokens"]
    whole["vocab"] = whole["vocab"][:300]
    whole["config"] |= {"num_vocab_tokens": 300, "default_vocab_size": special + 300}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tekken.json").write_text(json.dumps(whole), encoding="utf-8")
    settings = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "vocab_size": special + 300}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder
