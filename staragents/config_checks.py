"""What types alone can't say: ranges, names that must exist, and what this machine must have."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from staragents.agents import KEEP
from staragents.config import AgentConfig, Baseline, Config, EngineKind, Fallback, FilterAction
from staragents.config_bounds import out_of_bounds
from staragents.config_merging import nearest, shown
from staragents.environment import secret
from staragents.errors import BadInput
from staragents.filters import near_duplicates
from staragents.filters.row_filters import RowFilters
from staragents.prices import Prices
from staragents.prompt_templates import load_prompt, shipped_prompts
from staragents.seeds.seed_path import seed_path

FAKE = "fake"
NAME = re.compile(r"[\w.-]+")
DTYPES = ("auto", "float32", "bfloat16", "float16")
QUANTIZATIONS = ("8bit", "4bit")
CREDITS = ("all", "winner")
RESUMES = ("auto", "never", "must")


def check_config(config: Config) -> list[str]:
    """What is wrong with a config whose types are right, a line `dotted.key: expected ..., got ...` each.

    Loads no model, asks no network and leaves nothing on disk.
    """
    return [
        *out_of_bounds(config),
        *_seeds(config),
        *_models(config),
        *_agents(config),
        *_pairs(config),
        *_evolution(config),
        *_scoring(config),
        *_judge_and_reward(config),
        *_memory(config),
        *_filters(config),
        *_run(config),
        *_output(config),
    ]


def _seeds(config: Config) -> Iterator[str]:
    try:
        seed_path(config.seeds.path)
    except BadInput as error:
        yield from error.problems


def _models(config: Config) -> Iterator[str]:
    yield from _names("models", config.models)
    for name, model in config.models.items():
        key = f"models.{name}"
        if model.kind is EngineKind.vllm:
            yield from _model(f"{key}.model", model.model)
            yield from _gpus(f"{key}.num_gpus", model.num_gpus)
            if not model.num_gpus and not model.num_cpus:
                yield f"{key}.num_cpus: expected more than 0 without a GPU, got 0"
        elif model.kind is EngineKind.openai:
            if not model.model:
                yield f"{key}.model: expected the model's name on the server, got nothing"
            yield from _url(f"{key}.base_url", model.base_url or "")
        elif model.kind is EngineKind.recorded:
            if not model.model:
                yield f"{key}.model: expected the name of an agent in the table, or judge, got nothing"
            if not Path(model.table or "").expanduser().is_file():
                yield f"{key}.table: expected a JSONL file of recorded answers, got {shown(model.table)}"
        if model.nodes > 1 and (not model.num_gpus or model.num_gpus % model.nodes):
            yield f"{key}.nodes: expected a divisor of num_gpus ({model.num_gpus:g}), got {model.nodes}"
        yield from _one_of(f"{key}.dtype", model.dtype, DTYPES)
        yield from _key_variable(f"{key}.api_key_env", model.api_key_env)
        if model.min_replicas > model.max_replicas:
            most = model.max_replicas
            yield f"{key}.min_replicas: expected at most max_replicas ({most}), got {model.min_replicas}"


def _agents(config: Config) -> Iterator[str]:
    for role, agents in (("instruction", config.agents.instruction), ("response", config.agents.response)):
        section = f"agents.{role}"
        if not agents:
            yield f"{section}: expected at least one agent, got none"
        yield from _names(section, agents)
        for name, agent in agents.items():
            key = f"{section}.{name}"
            if "" in agent.stop:
                yield f"{key}.stop: expected texts, got an empty one"
            if role == "instruction" and agent.prompt == KEEP:
                continue
            yield from _known(f"{key}.model", agent.model, "models", config.models)
            yield from _prompt(f"{key}.prompt", role, agent, config)
            yield from _room(f"{key}.max_tokens", agent, config)


def _prompt(key: str, role: str, agent: AgentConfig, config: Config) -> Iterator[str]:
    shipped = shipped_prompts(role)
    if not agent.prompt.endswith(".j2") and agent.prompt not in shipped:
        if role == "instruction":
            shipped.append(KEEP)
        expected = f"one of {', '.join(shipped)} or a .j2 file"
        yield f"{key}: expected {expected}, got {shown(agent.prompt)}{_instead(agent.prompt, shipped)}"
        return
    try:
        template = load_prompt(role, agent.prompt)
    except BadInput as error:
        yield from (f"{key}: {problem}" for problem in error.problems)
        return
    model = config.models.get(agent.model)
    if model and not model.chat and not template.has_raw:
        yield f"{key}: expected a template with a raw block, as models.{agent.model}.chat is false"


def _room(key: str, agent: AgentConfig, config: Config) -> Iterator[str]:
    model = config.models.get(agent.model)
    if model and model.kind is EngineKind.vllm and agent.max_tokens >= model.max_model_len:
        limit = f"models.{agent.model}.max_model_len ({model.max_model_len})"
        yield f"{key}: expected less than {limit}, which holds the prompt too, got {agent.max_tokens}"


def _pairs(config: Config) -> Iterator[str]:
    agents = config.agents
    every = [f"{left}+{right}" for left in agents.instruction for right in agents.response]
    for key, pairs in (("agents.pairs", agents.pairs or []), ("agents.base_pairs", agents.base_pairs)):
        for index, pair in enumerate(pairs):
            if pair not in every:
                expected = "instruction+response, both names of agents"
                yield f"{key}[{index}]: expected {expected}, got {shown(pair)}{_instead(pair, every)}"
            elif pair in pairs[:index]:
                yield f"{key}[{index}]: expected every pair once, got {pair} again"
    known = [*agents.instruction, *agents.response, *config.pairs]
    for index, name in enumerate(agents.retired):
        if name not in known:
            instead = _instead(name, known)
            yield f"agents.retired[{index}]: expected an agent or a pair, got {shown(name)}{instead}"
    if left := sorted(config.retired_pairs & set(agents.base_pairs)):
        yield f"agents.retired: expected no agent of a base pair, {left[0]} is one"


def _evolution(config: Config) -> Iterator[str]:
    evolution = config.evolution
    drawable = set(config.pairs) - set(config.agents.base_pairs) - config.retired_pairs
    has_agents = config.agents.instruction and config.agents.response
    if has_agents and evolution.draws > len(drawable):
        most = f"at most {len(drawable)}, the number of pairs besides base and retired ones"
        yield f"evolution.draws: expected {most}, got {evolution.draws}"
    if evolution.draws == 0 and not config.agents.base_pairs:
        yield "evolution.draws: expected at least 1, as there is no base pair, got 0"
    recalled = evolution.recalled_draws
    if recalled is not None and recalled > evolution.draws:
        most = f"at most evolution.draws ({evolution.draws})"
        yield f"evolution.recalled_draws: expected {most}, got {recalled}"
    yield from _one_of("evolution.credit", evolution.credit, CREDITS)


def _scoring(config: Config) -> Iterator[str]:
    for role, scorer in (("target", config.scoring.target), ("larger", config.scoring.larger)):
        yield from _model(f"scoring.{role}.model", scorer.model, may_be_fake=True)
        yield from _one_of(f"scoring.{role}.dtype", scorer.dtype, DTYPES)
        if scorer.quantization is not None:
            yield from _one_of(f"scoring.{role}.quantization", scorer.quantization, QUANTIZATIONS)
        yield from _gpus(f"scoring.{role}.num_gpus", scorer.num_gpus)
        if scorer.most_replicas < scorer.replicas:
            yield (
                f"scoring.{role}.max_replicas: expected at least replicas ({scorer.replicas}), "
                f"got {scorer.max_replicas}"
            )
    cache = config.scoring.cache_path
    if cache is not None and not Path(cache).is_absolute():
        yield f"scoring.cache_path: expected an absolute path, got {shown(cache)}"


def _judge_and_reward(config: Config) -> Iterator[str]:
    yield from _known("judge.model", config.judge.model, "models", config.models)
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
    yield from _model("memory.embedder", memory.embedder, may_be_fake=True)
    if memory.url is not None:
        yield from _url("memory.url", memory.url)
    yield from _key_variable("memory.api_key_env", memory.api_key_env)
    if memory.collection is not None and not NAME.fullmatch(memory.collection):
        yield f"memory.collection: expected letters, digits and . _ -, got {shown(memory.collection)}"
    if memory.hnsw:
        yield from _hnsw(memory.hnsw)
    for number, folder in enumerate(memory.reuse):
        if not any((Path(folder) / "candidates").glob("*.parquet")):
            yield f"memory.reuse[{number}]: expected the directory of an earlier run, got {shown(folder)}"
        elif Path(folder).absolute() == Path(config.output.dir).absolute():
            yield f"memory.reuse[{number}]: expected another run's directory, got output.dir {shown(folder)}"


def _filters(config: Config) -> Iterator[str]:
    filters = config.filters
    if filters.near_duplicates is not FilterAction.off and not near_duplicates.is_installed():
        needed = f"the package {near_duplicates.PACKAGE} (pip install 'staragents[filters]')"
        yield f"filters.near_duplicates: expected off without {needed}, got {filters.near_duplicates}"
        return
    try:
        # Reads the evaluation sets: to find them missing when the dataset is written is hours too late.
        RowFilters(filters)
    except BadInput as error:
        yield from error.problems


def _run(config: Config) -> Iterator[str]:
    if config.run.budget is not None and not Prices(config).known:
        prices = "prices to count with (models.*.price_in, price_out or price_gpu_hour)"
        yield f"run.budget: expected {prices}, got none"


def _output(config: Config) -> Iterator[str]:
    yield from _one_of("output.resume", config.output.resume, RESUMES)
    if not config.output.dir.strip():
        yield "output.dir: expected a folder, got nothing"
        return
    path = Path(config.output.dir)
    try:
        while not path.exists():
            path = path.parent
        if not path.is_dir():
            yield f"output.dir: expected a folder, got {config.output.dir}, where {path} is a file"
            return
        # Permissions don't tell of a file system that is full or mounted for reading only: try it.
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        yield f"output.dir: expected a writable folder, got {path}: {error.strerror or error}"


def _model(key: str, model: str, *, may_be_fake: bool = False) -> Iterator[str]:
    from staragents.packaged_models import check_model

    if may_be_fake and model == FAKE:
        return
    if not model:
        yield f"{key}: expected a hub id, a folder or packaged:..., got nothing"
    elif problem := check_model(model):
        yield f"{key}: {problem}"


def _known(key: str, name: str, section: str, known: Iterable[str]) -> Iterator[str]:
    known = list(known)
    if name not in known:
        expected = f"a name from {section} ({', '.join(known) or 'which is empty'})"
        yield f"{key}: expected {expected}, got {shown(name)}{_instead(name, known)}"


def _names(section: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if not NAME.fullmatch(name):
            yield f"{section}.{name}: expected a name of letters, digits and . _ -, got {shown(name)}"


def _gpus(key: str, number: float) -> Iterator[str]:
    if number > 1 and number % 1:
        yield f"{key}: expected a share of one GPU or whole GPUs, got {number:g}"


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> Iterator[str]:
    if value not in allowed:
        yield f"{key}: expected one of {', '.join(allowed)}, got {shown(value)}"


def _url(key: str, url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        yield f"{key}: expected an address such as http://127.0.0.1:8000, got {shown(url)}"


def _hnsw(settings: dict[str, Any]) -> Iterator[str]:
    # Takes a second to import, and every command checks a config.
    from pydantic import ValidationError
    from qdrant_client import models

    try:
        models.HnswConfigDiff(**settings)
    except ValidationError as error:
        for problem in error.errors():
            yield f"memory.hnsw.{problem['loc'][0]}: {problem['msg']}, got {shown(problem['input'])}"


def _key_variable(key: str, variable: str | None) -> Iterator[str]:
    if variable is None or secret(variable):
        return
    # Somebody may have put the key itself here: only what looks like a variable's name is repeated.
    got = f"{variable}, which is not set" if re.fullmatch(r"[A-Z][A-Z0-9_]*", variable) else "something else"
    yield f"{key}: expected the name of an environment variable that holds the key, got {got}"


def _instead(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f", did you mean {near}?" if near else ""
