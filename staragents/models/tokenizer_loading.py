"""Loads a model's tokenizer in Hugging Face's form, whose chat template can be read and rendered as text."""

from __future__ import annotations

from typing import Any

TEKKEN = "tekken.json"
"""Mistral's own form of a vocabulary. It has no chat template."""
TOKENIZER = "tokenizer.json"
TEMPLATES = ("chat_template.jinja", "chat_template.json")


def load_tokenizer(path: str, revision: str | None = None, trust_remote_code: bool = False) -> Any:
    """The tokenizer of a folder or hub id. Raises what transformers raises.

    Where a repository has tekken.json, transformers would let mistral-common make all prompts. Its tokenizer
    hides the chat template, and reads the template's special tokens in a text as mere words.
    """
    from transformers import AutoTokenizer

    source: dict[str, Any] = {"revision": revision or "main", "trust_remote_code": trust_remote_code}
    tekken = _file(path, TEKKEN, revision)
    if tekken is None:
        return AutoTokenizer.from_pretrained(path, **source)
    if _file(path, TOKENIZER, revision) is None:
        return _converted(tekken, any([_file(path, name, revision) for name in TEMPLATES]))
    # Files from before transformers 5 split texts into other words than the model was trained with.
    return AutoTokenizer.from_pretrained(path, **source, mistral_format=False, fix_mistral_regex=True)


def _converted(tekken: str, has_template: bool) -> Any:
    """The tokenizer of a tekken file, with the chat template beside it or else the one of its version."""
    from transformers.integrations.mistral.tokenizer import convert_tekken_tokenizer

    tokenizer: Any = convert_tekken_tokenizer(tekken, None if has_template else _template(tekken))
    # As in mistral-common.
    tokenizer.add_bos_token = True
    return tokenizer


def _template(tekken: str) -> str:
    from mistral_common.integrations.chat_templates.chat_templates import convert_tokenizer_to_chat_template

    # Its guess takes Mistral Small 3.2 for a model that thinks.
    return str(convert_tokenizer_to_chat_template(tekken, plain_thinking_support=False))


def _file(path: str, name: str, revision: str | None) -> str | None:
    """Where a file of a folder or hub id is on this machine; None if there is none, or it can't be had."""
    from transformers.utils import cached_file

    try:
        return cached_file(path, name, revision=revision or "main")
    except OSError:  # why it can't be had, loading the tokenizer says
        return None
