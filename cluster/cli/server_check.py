"""What the servers of a config take, for `staragents doctor`: asked with the real requests of the roles."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from actors.engines import openai_engine
from actors.engines.openai_engine import OpenAIEngine
from actors.engines.server_models import context_of, price_of, served_models
from staragents.agents.probes import probes_of
from staragents.base.errors import StarAgentsError
from staragents.config import Config, EngineKind, ModelConfig


def server_findings(config: Config) -> Iterator[tuple[str, bool, str]]:
    """By model on a server: its name, whether it answers, what was found. Generates a few tokens."""
    logger = logging.getLogger(openai_engine.__name__)
    logger.addFilter(_nothing)  # the findings show what the engine logs
    try:
        for name, model in config.models.items():
            if model.kind is EngineKind.openai:
                answers, found = asyncio.run(_found(config, name, model))
                yield f"models.{name}", answers, found
    finally:
        logger.removeFilter(_nothing)


async def _found(config: Config, name: str, model: ModelConfig) -> tuple[bool, str]:
    engine = None
    try:
        engine = OpenAIEngine(model, probes_of(config, name))
        await engine.start()
        entry = (await served_models(engine.client)).get(model.model, {})
    except StarAgentsError as error:
        return False, str(error)
    finally:
        if engine is not None:
            await engine.stop()
    lines = engine.remarks or ["takes every request as it is"]
    if engine.found.thinks:
        lines.append(
            f"the model thinks: up to thinking_tokens={model.thinking_tokens} are asked for in addition"
        )
    if tokens := context_of(entry):
        lines.append(f"its context has {tokens:,} tokens")
    if prices := price_of(entry):
        lines.append(_price_line(name, model, prices))
    return True, f"{engine.client.address} answers as {model.model}; " + "; ".join(lines)


def _price_line(name: str, model: ModelConfig, prices: tuple[float, float]) -> str:
    told = "the server's prices of a million tokens are {:g} (prompt) and {:g} (generated)".format(*prices)
    if (model.price_in, model.price_out) == prices:
        return told
    settings = f"models.{name}.price_in={prices[0]:g} models.{name}.price_out={prices[1]:g}"
    return f"{told}: set {settings} to count them"


def _nothing(record: logging.LogRecord) -> bool:
    return False
