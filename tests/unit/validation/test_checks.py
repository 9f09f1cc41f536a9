"""Errors in a config whose types are right."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from staragents.config import (
    AgentConfig,
    AgentsConfig,
    Baseline,
    Config,
    Credit,
    EngineKind,
    EvolutionConfig,
    FakeConfig,
    Fallback,
    JudgeConfig,
    MemoryConfig,
    ModelConfig,
    OutputConfig,
    PolicyName,
    ScorerModelConfig,
    ScoringConfig,
    SeedsConfig,
)
from staragents.config.marks import Location, Mark, Range, ReadBy, Was
from staragents.config.tree import Declared, as_dict, declared, entry_kind, leaves, marks
from staragents.models import vllm_build
from staragents.validation.checks import check_config
from staragents.validation.kind_checks import check_kinds
from staragents.validation.value_checks import out_of_bounds

KEY = "STARAGENTS_TEST_KEY"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A config without problems."""
    prompt = tmp_path / "mine.j2"
    prompt.write_text("{{ instruction }}")
    return Config(
        seeds=SeedsConfig(path="bundled:self-instruct"),
        models={"writer": ModelConfig(kind=EngineKind.fake), "other": ModelConfig(kind=EngineKind.fake)},
        agents=AgentsConfig(
            instruction={
                "keep": AgentConfig(prompt="keep"),
                "more": AgentConfig(model="writer", prompt=str(prompt)),
            },
            response={"direct": AgentConfig(model="writer", prompt=str(prompt))},
            base_pairs=["keep+direct"],
        ),
        evolution=EvolutionConfig(draws=1),
        scoring=ScoringConfig(target=ScorerModelConfig(model="fake"), larger=ScorerModelConfig(model="fake")),
        judge=JudgeConfig(model="writer"),
        memory=MemoryConfig(embedder="fake"),
        output=OutputConfig(dir=str(tmp_path / "runs" / "new")),
    )


def test_a_usable_config_has_no_problem_and_leaves_nothing_behind(config: Config, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    assert check_config(config) == []
    assert sorted(tmp_path.iterdir()) == before


def vllm(**settings: object) -> ModelConfig:
    return ModelConfig(**{"kind": EngineKind.vllm, "model": "org/name", **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize(("num_gpus", "names_it"), [(0.0, True), (0.5, False)])
def test_a_vllm_for_gpus_is_refused_a_pool_without_one(
    config: Config, monkeypatch: pytest.MonkeyPatch, num_gpus: float, names_it: bool
) -> None:
    """It would take the first GPU, which Ray gives to others too."""
    monkeypatch.setattr(vllm_build, "needs_gpu", lambda: True)
    config.models["writer"] = vllm(num_gpus=num_gpus)
    problems = [line for line in check_config(config) if line.startswith("models.")]
    expected = (
        "models.writer.num_gpus: expected more than 0, such as 0.5 to share a GPU, because the installed"
    )
    assert [line.startswith(expected) for line in problems] == [True] * names_it


def openai(**settings: object) -> ModelConfig:
    good = {"kind": EngineKind.openai, "model": "gpt", "base_url": "http://127.0.0.1:8000/v1"}
    return ModelConfig(**{**good, **settings})  # type: ignore[arg-type]


def without_base(*path: str, value: object) -> Callable[[Config], object]:
    """No base pair, and a setting that needs one."""

    def spoil(config: Config) -> None:
        config.agents.base_pairs.clear()
        setattr(getattr(config, path[0]), path[1], value)

    return spoil


def set_model(model: ModelConfig) -> Callable[[Config], object]:
    return lambda config: config.models.update(writer=model)


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda c: setattr(c.seeds, "path", ""), "seeds.path: expected a file, .* got nothing"),
        (
            lambda c: setattr(c.seeds, "path", "gone.jsonl"),
            "seeds.path: expected a file, .* got no such",
        ),
        (set_model(vllm(model="")), "models.writer.model: expected a hub id"),
        (set_model(vllm(model="./gone/model")), "models.writer.model: expected a hub id, an existing folder"),
        (set_model(vllm(model="packaged:smollm")), "models.writer.model: expected one of packaged:smollm2"),
        (set_model(vllm(num_gpus=1.5)), "models.writer.num_gpus: expected a fraction of one GPU or whole"),
        (
            set_model(vllm(num_gpus=4, nodes=3)),
            r"models.writer.nodes: expected a divisor of num_gpus \(4\), got 3",
        ),
        (set_model(vllm(nodes=2)), r"models.writer.nodes: expected a divisor of num_gpus \(0\), got 2"),
        (set_model(vllm(num_cpus=0)), "models.writer.num_cpus: expected more than 0 without a GPU"),
        (set_model(vllm(max_model_len=512)), "agents.instruction.more.max_tokens: expected less than"),
        (
            set_model(vllm(min_replicas=3)),
            "models.writer.min_replicas: expected at most max_replicas .1., got 3",
        ),
        (set_model(openai(model="")), "models.writer.model: expected the name of a model on the server"),
        (set_model(openai(base_url=None)), "models.writer.base_url: expected an address"),
        (set_model(openai(base_url="localhost:80")), "models.writer.base_url: expected an address"),
        (set_model(openai(base_url="http://[::1")), "models.writer.base_url: expected an address"),
        (
            set_model(openai(api_key_env=KEY)),
            f"models.writer.api_key_env: expected the name of an .* got {KEY}",
        ),
        (lambda c: c.models.update({"a b": vllm()}), "models.a b: expected a name of letters"),
        (lambda c: c.agents.instruction.clear(), "agents.instruction: expected at least one agent"),
        (lambda c: c.agents.response.clear(), "agents.response: expected at least one agent"),
        (
            lambda c: c.agents.response.update({"a+b": c.agents.response["direct"]}),
            r"agents.response.a\+b: expected a name of letters",
        ),
        (
            lambda c: setattr(c.agents.instruction["more"], "model", "writr"),
            r"agents.instruction.more.model: .*\(writer, other\), got 'writr', did you mean writer\?",
        ),
        (
            lambda c: setattr(c.agents.instruction["more"], "model", ""),
            "agents.instruction.more.model: .* got nothing",
        ),
        (
            lambda c: setattr(c.agents.instruction["more"], "prompt", "keeep"),
            "agents.instruction.more.prompt: .* did you mean keep",
        ),
        (
            lambda c: setattr(c.agents.instruction["more"], "prompt", "gone.j2"),
            "agents.instruction.more.prompt: gone.j2: .*no such file",
        ),
        (
            lambda c: setattr(c.agents.response["direct"], "prompt", "keep"),
            "agents.response.direct.prompt: expected one of",
        ),
        (
            lambda c: c.agents.response["direct"].stop.append(""),
            "agents.response.direct.stop: expected non-empty strings",
        ),
        (
            lambda c: setattr(c.agents, "pairs", ["more+direct", "mroe+direct"]),
            r"agents.pairs\[1\]: .* got 'mroe\+direct', did you mean more\+direct",
        ),
        (
            lambda c: setattr(c.agents, "pairs", ["more+direct"] * 2),
            r"agents.pairs\[1\]: expected each pair once",
        ),
        (
            lambda c: c.agents.base_pairs.append("direct"),
            r"agents.base_pairs\[1\]: expected instruction\+response",
        ),
        (lambda c: setattr(c.evolution, "draws", 2), "evolution.draws: expected at most 1"),
        (
            without_base("evolution", "draws", value=0),
            "evolution.draws: expected at least 1, as there is no base pair",
        ),
        (lambda c: setattr(c.evolution, "recalled_draws", 2), "evolution.recalled_draws: expected at most"),
        (lambda c: setattr(c.scoring.target, "model", ""), "scoring.target.model: expected a hub id"),
        (
            lambda c: setattr(c.scoring.larger, "model", "/gone/model"),
            "scoring.larger.model: expected a hub id",
        ),
        (
            lambda c: (
                setattr(c.scoring.larger, "replicas", 3) or setattr(c.scoring.larger, "max_replicas", 2)
            ),
            "scoring.larger.max_replicas: expected at least replicas .3., got 2",
        ),
        (
            lambda c: setattr(c.scoring.larger, "num_gpus", 1.5),
            "scoring.larger.num_gpus: expected a fraction",
        ),
        (lambda c: setattr(c.judge, "model", "judge"), "judge.model: expected a name from models"),
        (
            without_base("judge", "baseline", value=Baseline.base),
            "judge.baseline: expected seed",
        ),
        (
            without_base("reward", "fallback", value=Fallback.base),
            "reward.fallback: expected seed or none",
        ),
        (lambda c: setattr(c.memory, "embedder", "../gone"), "memory.embedder: expected a hub id"),
        (lambda c: setattr(c.memory, "url", "qdrant:6333"), "memory.url: expected an address"),
        (lambda c: setattr(c.memory, "url", "http://qdrant:port"), "memory.url: expected an address"),
        (
            lambda c: setattr(c.memory, "api_key_env", KEY),
            f"memory.api_key_env: .* got {KEY}, which is not set",
        ),
        (lambda c: setattr(c.memory, "collection", "a/b"), "memory.collection: expected letters"),
        (lambda c: setattr(c.output, "dir", " "), "output.dir: expected a folder, got nothing"),
        (lambda c: setattr(c.output, "dir", "x" * 300), "output.dir: expected a writable folder"),
    ],
)
def test_each_problem_is_a_line_with_its_key(
    config: Config, spoil: Callable[[Config], object], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY, raising=False)
    spoil(config)
    found = check_config(config)
    assert any(re.match(line, problem) for problem in found), found


def test_a_broken_template_is_named_with_file_and_line(config: Config, tmp_path: Path) -> None:
    broken = tmp_path / "broken.j2"
    broken.write_text("Rewrite:\n{{ instruction")
    config.agents.instruction["more"].prompt = str(broken)
    (line,) = check_config(config)
    assert line.startswith(f"agents.instruction.more.prompt: {broken}:2: ")


def test_a_pasted_key_is_not_repeated(config: Config) -> None:
    config.models["writer"] = openai(api_key_env="sk-abcdef")
    (line,) = check_config(config)
    assert line.startswith("models.writer.api_key_env: expected the name of an environment variable")
    assert "abcdef" not in line


IGNORED = "expected nothing for kind vllm, which ignores it (set kind: "


@pytest.mark.parametrize(
    ("model", "lines"),
    [
        (
            {"model": "org/name", "base_url": "https://host/v1", "api_key_env": "sk-abcdef"},
            [
                f"base_url: {IGNORED}openai, or models.writer.base_url=null), got 'https://host/v1'",
                f"api_key_env: {IGNORED}openai, or models.writer.api_key_env=null), got something else",
            ],
        ),
        (
            {"model": "org/name", "table": "answers.jsonl"},
            [f"table: {IGNORED}recorded, or models.writer.table=null), got 'answers.jsonl'"],
        ),
        ({**vars(openai()), "engine_args": {"enforce_eager": True}, "fake": FakeConfig(latency_s=1.0)}, []),
        ({"kind": EngineKind.fake, "base_url": "https://host/v1", "engine_args": {"a": 1}}, []),
    ],
)
def test_a_setting_that_shows_that_an_entry_lacks_its_kind_is_named(
    config: Config, model: dict[str, Any], lines: list[str]
) -> None:
    """A server's entry without its kind became a model to load."""
    config.models["writer"] = ModelConfig(**model)
    assert list(check_kinds(config)) == [f"models.writer.{line}" for line in lines]


def test_a_key_whose_variable_is_set_is_fine(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "x")
    config.models["writer"] = openai(api_key_env=KEY)
    assert check_config(config) == []


def test_disabled_memory_needs_no_embedder(config: Config) -> None:
    config.memory = MemoryConfig(enabled=False, embedder="../gone", url="nonsense")
    assert check_config(config) == []


def test_an_output_that_is_a_file_or_below_one_is_not_writable(config: Config, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        config.output.dir = str(path)
        (line,) = check_config(config)
        assert line == f"output.dir: expected a folder, got {path}, where {tmp_path / 'file'} is a file"


def test_an_output_where_no_file_can_be_made_is_not_writable(config: Config) -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs a folder that not even root can write to")
    config.output.dir = "/proc/staragents/run"
    (line,) = check_config(config)
    assert line.startswith("output.dir: expected a writable folder, got /proc: ")


def _number_keys() -> list[str]:
    settings = Config(
        models={"writer": ModelConfig()}, agents=AgentsConfig(instruction={"more": AgentConfig()})
    )
    settings.seeds.limit = settings.evolution.recalled_draws = 1
    settings.run.max_tokens = settings.run.patience = 2
    settings.scoring.target.max_replicas = 2
    settings.run.max_minutes = settings.run.budget = 1.0
    settings.models["writer"].resources = settings.scoring.target.resources = {"custom": 1.0}
    settings.filters.max_words = 2
    numbers = [key for key, value in leaves(as_dict(settings)) if type(value) in (int, float)]
    return [".".join(key) for key in numbers if key != ("run", "seed")]


@pytest.mark.parametrize("key", _number_keys())
def test_no_number_may_be_negative_infinite_or_nan(config: Config, key: str) -> None:
    assert any(isinstance(mark, Range) for mark in marks(tuple(key.split("."))))
    *sections, field = key.split(".")
    section: object = config
    for name in sections:
        section = section[name] if isinstance(section, dict) else getattr(section, name)
    for value in (-7, math.inf, math.nan):
        if isinstance(section, dict):
            section[field] = value
        else:
            setattr(section, field, value)
        assert any(line.startswith(f"{key}: expected ") for line in check_config(config))


def _fields(kind: type, path: str = "") -> Iterator[tuple[str, Declared]]:
    """Every field below a config dataclass that is no section."""
    for name, field in declared(kind).items():
        if is_dataclass(below := entry_kind(field.hint) or field.hint):
            yield from _fields(below, f"{path}{name}.")
        else:
            yield f"{path}{name}", field


@pytest.mark.parametrize(("name", "field"), [pytest.param(*found, id=found[0]) for found in _fields(Config)])
def test_a_setting_declares_known_marks_and_a_range_if_it_is_a_number(name: str, field: Declared) -> None:
    assert all(isinstance(mark, Mark | Range | Location | ReadBy | Was) for mark in field.marks)
    has_range = any(isinstance(mark, Range) for mark in field.marks)
    is_number = bool({int, float} & {field.hint, *get_args(field.hint)})
    assert has_range == (is_number and name != "run.seed")


def test_shares_end_at_one(config: Config) -> None:
    config.evolution.floor = 1.01
    config.models["writer"].fake.failure_rate = 2
    assert check_config(config) == [
        "models.writer.fake.failure_rate: expected 0 to 1, got 2",
        "evolution.floor: expected 0 to 0.1, got 1.01",
    ]


@pytest.mark.parametrize("policy", PolicyName)
def test_only_policies_that_can_learn_from_winners_do_so(config: Config, policy: PolicyName) -> None:
    config.evolution.policy, config.evolution.credit = policy, Credit.winner
    problems = check_config(config)
    if policy in (PolicyName.thompson, PolicyName.ucb):
        assert problems == [
            f"evolution.credit: expected all, as {policy} learns from every evaluated pair "
            "(paper, additive, exp3 can learn from winners), got winner"
        ]
    else:
        assert problems == []


def test_defaults_are_within_bounds() -> None:
    config = Config(models={"m": ModelConfig()}, agents=AgentsConfig(response={"a": AgentConfig()}))
    assert list(out_of_bounds(config)) == []
