"""Make the engine for a model's config."""

from __future__ import annotations

from staragents.base.generation import Engine, GenerationRequest
from staragents.config import EngineKind, ModelConfig


def make_engine(config: ModelConfig, model_path: str, probes: tuple[GenerationRequest, ...] = ()) -> Engine:
    """Imports only the engine that is used: importing vllm takes 12-20 s. `probes`: requests of the model's
    roles, with which a server or a chat template is tried at start."""
    match config.kind:
        case EngineKind.vllm:
            from actors.engines.vllm_engine import VllmEngine

            return VllmEngine(config, model_path, probes)
        case EngineKind.openai:
            from actors.engines.openai_engine import OpenAIEngine

            return OpenAIEngine(config, probes)
        case EngineKind.recorded:
            from actors.engines.recorded_engine import RecordedEngine

            return RecordedEngine(config)
        case EngineKind.fake:
            from actors.engines.fake_engine import FakeEngine

            return FakeEngine(config)
