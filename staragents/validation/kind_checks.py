"""Settings that say that a model is of another kind."""

from __future__ import annotations

from collections.abc import Iterator

from staragents.config import Config, EngineKind, ModelConfig
from staragents.config.marks import ReadBy
from staragents.config.tree import declared
from staragents.validation.message_parts import shown

OF_OTHER_KINDS = ("base_url", "api_key_env", "table")


def check_kinds(config: Config) -> Iterator[str]:
    """A line for every setting that shows that an entry lacks its `kind`: without it, a model is loaded
    instead of a server asked or a table read.

    Any other kind than the default was written, so what it ignores is what it replaces: a server may take the
    place of a preset's vLLM, whose `engine_args` stay.
    """
    for name, model in config.models.items():
        if model.kind is EngineKind.vllm:
            yield from _ignored(f"models.{name}", model)


def _ignored(key: str, model: ModelConfig) -> Iterator[str]:
    for name in OF_OTHER_KINDS:
        if value := getattr(model, name):
            (kind,) = (mark.kind for mark in declared(ModelConfig)[name].marks if isinstance(mark, ReadBy))
            instead = f"set kind: {kind}, or {key}.{name}=null"
            expected = f"expected nothing for kind {model.kind}, which ignores it ({instead})"
            yield f"{key}.{name}: {expected}, got {shown(value, name)}"
