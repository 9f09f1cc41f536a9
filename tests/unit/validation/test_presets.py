"""The presets in configs/ load unchanged."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.config import (
    Baseline,
    Composite,
    Config,
    Difficulty,
    EngineKind,
    Fallback,
    PolicyName,
    Verdicts,
)
from staragents.config.new_config import SUGGESTED
from staragents.models.model_size import GIB
from staragents.validation.loading import from_yaml, load_config, to_yaml
from tests.support.paths import ROOT

CONFIGS = ROOT / "configs"
PRESETS = ("demo", "fake", "laptop", "node8", "paper", "paper-node8")


def preset(name: str, output: Path) -> Config:
    """Skips the test if the only problem is that the packages with the small models aren't installed."""
    try:
        return load_config(CONFIGS / f"{name}.yaml", [f"output.dir={output / 'run'}"])
    except BadInput as error:
        others = [line for line in error.problems if "is not installed" not in line]
        assert not others, "\n".join(others)
        pytest.skip(error.problems[0])


def test_every_preset_is_tested() -> None:
    assert {file.stem for file in CONFIGS.glob("*.yaml")} == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_no_problem(name: str, tmp_path: Path) -> None:
    config = preset(name, tmp_path)
    assert from_yaml(to_yaml(config)) == config
    assert config.seeds.path == "bundled:self-instruct"
    assert config.agents.base_pairs


@pytest.mark.parametrize("name", ["node8", "paper-node8"])
def test_a_node_preset_fits_on_eight_gpus(name: str, tmp_path: Path) -> None:
    config = preset(name, tmp_path)
    scorers = sum(s.replicas * s.num_gpus for s in (config.scoring.target, config.scoring.larger))
    assert scorers + sum(model.max_replicas * model.num_gpus for model in config.models.values()) <= 8
    assert all(model.num_gpus > 0 for model in config.models.values())


def test_the_laptop_recipe_for_a_gpu_of_24_gb_fits(tmp_path: Path) -> None:
    """By estimate: weights in bfloat16, contexts of 0.5 GiB each, activations and graphs of 0.5 GiB."""
    head = (CONFIGS / "laptop.yaml").read_text().partition("extends:")[0]
    settings = re.findall(r"[\w.]+=[\d.]*\d", head.partition("With one GPU of 24 GB add:")[2])
    assert len(settings) == 7
    config = load_config(CONFIGS / "laptop.yaml", [f"output.dir={tmp_path / 'run'}", *settings])
    small, judge = config.models["small"], config.models["judge"]
    target, larger = config.scoring.target, config.scoring.larger
    # An A10G shows 22.2 GiB of its 24 GB.
    card, vocab_size = 22.2, 151_936
    # Blocks of logits in bfloat16 and float32.
    block = min(config.scoring.batch_tokens * vocab_size, 1 << 28) * 6 / GIB
    need = [
        (small, 3.2 + small.kv_cache_gib + 1),
        (judge, 5.74 + judge.kv_cache_gib + 1),
        (target, 1.11 + block + 0.7),
        (larger, 3.2 + block + 0.7),
    ]
    assert [pool.model for pool, gib in need if gib > pool.num_gpus * card] == []
    assert sum(pool.num_gpus for pool, _ in need) <= 1
    assert all(model.shares_gpu for model in (small, judge))


ARCHITECTURES = {
    "allenai/Olmo-3-7B-Instruct": "Olmo3ForCausalLM",
    "allenai/Olmo-3-7B-Think": "Olmo3ForCausalLM",
    "google/gemma-2-9b-it": "Gemma2ForCausalLM",
    "google/gemma-4-26B-A4B-it": "Gemma4ForConditionalGeneration",
    "HuggingFaceTB/SmolLM3-3B": "SmolLM3ForCausalLM",
    "meta-llama/Llama-3.1-8B-Instruct": "LlamaForCausalLM",
    "microsoft/Phi-3.5-mini-instruct": "Phi3ForCausalLM",
    "microsoft/phi-4": "Phi3ForCausalLM",
    "mistralai/Mistral-7B-Instruct-v0.3": "MistralForCausalLM",
    "openai/gpt-oss-20b": "GptOssForCausalLM",
    "openai/gpt-oss-120b": "GptOssForCausalLM",
    "Qwen/Qwen2.5-14B-Instruct": "Qwen2ForCausalLM",
    "Qwen/Qwen3-1.7B": "Qwen3ForCausalLM",
    "Qwen/Qwen3-4B-Instruct-2507": "Qwen3ForCausalLM",
    "Qwen/Qwen3-30B-A3B-Instruct-2507": "Qwen3MoeForCausalLM",
    "zai-org/glm-4-9b-chat-hf": "GlmForCausalLM",
}
"""`architectures` in the config.json of every generating model that a preset or `init` suggests."""


def suggested(tmp_path: Path) -> set[str]:
    named = {m.model for name in PRESETS for m in preset(name, tmp_path).models.values() if m.kind == "vllm"}
    named |= {model for one in SUGGESTED.values() for model in (one.writer, one.judge)}
    return {model for model in named if model and not model.startswith("packaged:")}


def test_the_installed_vllm_knows_every_suggested_model(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("vllm")
    if spec is None or spec.origin is None:
        pytest.skip("vllm is not installed")
    # Its text, as importing it takes 15 s.
    registry = Path(spec.origin).parent / "model_executor" / "models" / "registry.py"
    known = registry.read_text(encoding="utf-8")
    assert suggested(tmp_path) == ARCHITECTURES.keys()
    assert [name for name in ARCHITECTURES.values() if f'"{name}"' not in known] == []


LOAD = """
import json, sys
from vllm.model_executor.models.registry import ModelRegistry
failed = {}
for name in sys.argv[1:]:
    try:
        ModelRegistry.models[name].load_model_cls()
    except Exception as error:
        while (error.__cause__ or error.__context__) is not None:
            error = error.__cause__ or error.__context__
        failed[name] = (getattr(error, "name", None), f"{type(error).__name__}: {error}")
print(json.dumps(failed))
"""
"""Prints what keeps vLLM from importing a model's module: {architecture: (missing module, message)}."""


@pytest.mark.slow
def test_vllm_imports_the_module_of_every_suggested_model() -> None:
    """Without it, a pool does not start ("failed to be inspected"), whatever weights it has."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed")
    result = subprocess.run(
        [sys.executable, "-c", LOAD, *sorted(set(ARCHITECTURES.values()))],
        env={**os.environ, "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    failed = json.loads(result.stdout.splitlines()[-1])
    missing_here = set[str]()
    if is_cpu_build():
        # They come with vLLM where CUDA is, and what needs them is too large for a CPU.
        missing_here = set(re.findall(r"^(\w+) ;", (ROOT / "overrides-cpu.txt").read_text(), re.M))
    reasons = {name: reason for name, (module, reason) in failed.items() if module not in missing_here}
    assert reasons == {}


def is_cpu_build() -> bool:
    return any("cpu" in f"{one.name} {one.version}" for one in distributions() if "vllm" in one.name)


def test_the_fake_preset_names_no_real_model(tmp_path: Path) -> None:
    config = preset("fake", tmp_path)
    assert {model.kind for model in config.models.values()} == {EngineKind.fake}
    assert {config.scoring.target.model, config.scoring.larger.model, config.memory.embedder} == {"fake"}


def test_the_paper_preset_matches_the_paper(tmp_path: Path) -> None:
    config = preset("paper", tmp_path)
    evolution = config.evolution
    assert (evolution.policy, evolution.rate, evolution.floor) == (PolicyName.paper, 7.0, 0.0)
    assert (len(config.pairs), evolution.draws + len(config.agents.base_pairs)) == (10, 5)
    assert evolution.credit == "winner"
    judge, reward = config.judge, config.reward
    assert (judge.baseline, judge.verdict, judge.both_orders) == (Baseline.base, Verdicts.hard, False)
    assert (reward.difficulty, reward.composite) == (Difficulty.paper, Composite.product)
    assert (reward.require_win, reward.fallback) == (False, Fallback.base)
