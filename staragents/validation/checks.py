"""Checks beyond types: ranges, references to names, and requirements on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from staragents.base.errors import BadInput
from staragents.base.extras import install_command
from staragents.config import Baseline, Config, EngineKind, Fallback, FilterAction
from staragents.config.prices import Prices
from staragents.data.readers.encodings import encoding_problem
from staragents.data.seed_path import seed_path
from staragents.files.folders import folder_problem
from staragents.filters import near_duplicates
from staragents.filters.row_filters import RowFilters
from staragents.models import vllm_build
from staragents.validation.agent_checks import check_agents, check_pairs
from staragents.validation.message_parts import shown
from staragents.validation.network_checks import check_network
from staragents.validation.secret_checks import check_secrets
from staragents.validation.thinking_checks import check_thinking
from staragents.validation.value_checks import (
    NAME,
    check_context,
    check_gpus,
    check_key_variable,
    check_known,
    check_model_name,
    check_names,
    check_url,
    out_of_bounds,
)


def check_config(config: Config) -> list[str]:
    """The problems of a config whose types are valid, one line `dotted.key: expected ..., got ...` each.

    Loads no model, uses no network and leaves nothing on disk.
    """
    lines = [
        *out_of_bounds(config),
        *check_secrets(config),
        *_seeds(config),
        *_models(config),
        *check_agents(config),
        *check_pairs(config),
        *_evolution(config),
        *_scoring(config),
        *_judge_and_reward(config),
        *_memory(config),
        *_filters(config),
        *_run(config),
        *check_network(config),
        *_output(config),
    ]
    return list(dict.fromkeys(lines))


def _seeds(config: Config) -> Iterator[str]:
    try:
        seed_path(config.seeds.path)
    except BadInput as error:
        yield from error.problems
    if problem := encoding_problem(config.seeds.encoding):
        yield f"seeds.encoding: {problem}"


def _models(config: Config) -> Iterator[str]:
    yield from check_names("models", config.models)
    for name, model in config.models.items():
        key = f"models.{name}"
        yield from check_thinking(key, model)
        if model.kind is EngineKind.vllm:
            unknown = list(check_model_name(f"{key}.model", model.model))
            yield from unknown or check_context(f"{key}.max_model_len", model)
            yield from check_gpus(f"{key}.num_gpus", model.num_gpus)
            if not model.num_gpus and not model.num_cpus:
                yield f"{key}.num_cpus: expected more than 0 without a GPU, got 0"
            if not model.num_gpus and vllm_build.needs_gpu():
                yield (
                    f"{key}.num_gpus: expected more than 0, such as 0.5 to share a GPU, because the "
                    "installed vLLM runs on GPUs only, got 0"
                )
        elif model.kind is EngineKind.openai:
            if not model.model:
                yield f"{key}.model: expected the name of a model on the server, got nothing"
            yield from check_url(f"{key}.base_url", model.base_url or "")
            yield from check_key_variable(f"{key}.api_key_env", model.api_key_env)
        elif model.kind is EngineKind.recorded:
            if not model.model:
                yield f"{key}.model: expected the name of an agent in the table, or judge, got nothing"
            if not os.path.isfile(os.path.expanduser(model.table or "")):
                yield f"{key}.table: expected a JSONL file of recorded answers, got {shown(model.table)}"
        if model.nodes > 1 and (not model.num_gpus or model.num_gpus % model.nodes):
            yield f"{key}.nodes: expected a divisor of num_gpus ({model.num_gpus:g}), got {model.nodes}"
        if model.min_replicas > model.max_replicas:
            most = model.max_replicas
            yield f"{key}.min_replicas: expected at most max_replicas ({most}), got {model.min_replicas}"


def _evolution(config: Config) -> Iterator[str]:
    evolution = config.evolution
    drawable = set(config.drawn_pairs) - config.retired_pairs
    has_agents = config.agents.instruction and config.agents.response
    if has_agents and evolution.draws > len(drawable):
        most = f"at most {len(drawable)}, the number of pairs that are neither base pairs nor retired"
        yield f"evolution.draws: expected {most}, got {evolution.draws}"
    if evolution.draws == 0 and not config.agents.base_pairs:
        yield "evolution.draws: expected at least 1, as there is no base pair, got 0"
    if (problem := evolution.credit_problem()) is not None:
        yield problem
    recalled = evolution.recalled_draws
    if recalled is not None and recalled > evolution.draws:
        most = f"at most evolution.draws ({evolution.draws})"
        yield f"evolution.recalled_draws: expected {most}, got {recalled}"


def _scoring(config: Config) -> Iterator[str]:
    for role, scorer in (("target", config.scoring.target), ("larger", config.scoring.larger)):
        yield from check_model_name(f"scoring.{role}.model", scorer.model, may_be_fake=True)
        yield from check_gpus(f"scoring.{role}.num_gpus", scorer.num_gpus)
        if scorer.most_replicas < scorer.replicas:
            yield (
                f"scoring.{role}.max_replicas: expected at least replicas ({scorer.replicas}), "
                f"got {scorer.max_replicas}"
            )
    cache = config.scoring.cache_path
    if cache is not None and not Path(cache).is_absolute():
        yield f"scoring.cache_path: expected an absolute path, got {shown(cache)}"


def _judge_and_reward(config: Config) -> Iterator[str]:
    yield from check_known("judge.model", config.judge.model, "models", config.models)
    if config.agents.base_pairs:
        return
    if config.judge.baseline is Baseline.base:
        yield "judge.baseline: expected seed, as agents.base_pairs is empty, got base"
    if config.reward.fallback is Fallback.base:
        yield "reward.fallback: expected seed or none, as agents.base_pairs is empty, got base"


def _memory(config: Config) -> Iterator[str]:
    memory = config.memory
    if not memory.enabled:
        return
    yield from check_model_name("memory.embedder", memory.embedder, may_be_fake=True)
    if memory.url is not None:
        yield from check_url("memory.url", memory.url)
    yield from check_key_variable("memory.api_key_env", memory.api_key_env)
    if memory.collection is not None and not NAME.fullmatch(memory.collection):
        yield f"memory.collection: expected letters, digits and . _ -, got {shown(memory.collection)}"
    if memory.hnsw:
        yield from _hnsw(memory.hnsw)
    for number, folder in enumerate(memory.reuse):
        if not _has_candidates(folder):
            yield f"memory.reuse[{number}]: expected the directory of an earlier run, got {shown(folder)}"
        elif Path(folder).absolute() == Path(config.output.dir).absolute():
            yield f"memory.reuse[{number}]: expected another run's directory, got output.dir {shown(folder)}"


def _has_candidates(folder: str) -> bool:
    try:
        return any((Path(folder) / "candidates").glob("*.parquet"))
    except (OSError, ValueError):  # not a valid folder name
        return False


def _filters(config: Config) -> Iterator[str]:
    filters = config.filters
    if filters.near_duplicates is not FilterAction.off and not near_duplicates.is_installed():
        needed = f"the package {near_duplicates.PACKAGE} ({install_command('filters')})"
        yield f"filters.near_duplicates: expected off without {needed}, got {filters.near_duplicates}"
        return
    try:
        # Reads the evaluation sets, so that a missing one is found now and not hours later with the dataset.
        RowFilters(filters)
    except BadInput as error:
        yield from error.problems


def _run(config: Config) -> Iterator[str]:
    if config.run.budget is not None and not Prices(config).known:
        prices = "at least one price (models.*.price_in, price_out or price_gpu_hour)"
        yield f"run.budget: expected {prices}, got none"


def _output(config: Config) -> Iterator[str]:
    if not config.output.dir.strip():
        yield "output.dir: expected a folder, got nothing"
        return
    if problem := folder_problem(config.output.dir):
        yield f"output.dir: {problem}"


def _hnsw(settings: dict[str, Any]) -> Iterator[str]:
    # This import takes a second, and every command checks a config.
    from pydantic import ValidationError
    from qdrant_client import models

    try:
        models.HnswConfigDiff(**settings)
    except ValidationError as error:
        for problem in error.errors():
            yield f"memory.hnsw.{problem['loc'][0]}: {problem['msg']}, got {shown(problem['input'])}"
