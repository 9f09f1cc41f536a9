"""Settings of a model that only another kind of engine reads."""

from __future__ import annotations

from collections.abc import Iterator

from staragents.config import EngineKind, FakeConfig, ModelConfig
from staragents.validation.message_parts import shown

READ_BY = {
    "base_url": EngineKind.openai,
    "api_key_env": EngineKind.openai,
    "table": EngineKind.recorded,
    "engine_args": EngineKind.vllm,
}


def check_kind(key: str, model: ModelConfig) -> Iterator[str]:
    """A line for each, because it would be ignored: an entry with a server's address but without `kind` loads
    a model. A fake engine may replace one of any kind, whose settings stay."""
    if model.kind is EngineKind.fake:
        return
    for name, kind in READ_BY.items():
        if (value := getattr(model, name)) and model.kind is not kind:
            yield f"{key}.{name}: {_expected(model, kind)}, got {shown(value, name)}"
    if model.fake != FakeConfig():
        yield f"{key}.fake: {_expected(model, EngineKind.fake)}, got settings of a fake engine"


def _expected(model: ModelConfig, kind: EngineKind) -> str:
    return f"expected nothing for kind {model.kind}, which ignores it (set kind: {kind})"
