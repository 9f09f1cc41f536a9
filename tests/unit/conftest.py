"""A synthetic run directory with plausible numbers and arbitrary texts."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from staragents.base.messages import Message
from staragents.base.records import Candidate, stable_id
from staragents.config import (
    AgentConfig,
    AgentsConfig,
    Config,
    EngineKind,
    EvolutionConfig,
    JudgeConfig,
    ModelConfig,
    OutputConfig,
    ScorerModelConfig,
    ScoringConfig,
)
from staragents.models import vllm_build
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config, to_yaml
from tests.support.local_run import local_run
from tests.support.paths import FAKE
from tests.support.run_files import summarise, write_manifest, write_state

# No test depends on the speed of the machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def vllm_for_the_cpu() -> Iterator[None]:
    """Configs without a GPU are valid, whichever vLLM is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vllm_build, "needs_gpu", lambda: False)
        yield


QUALITY = {"deepen+careful": 0.66, "concretise+careful": 0.6, "deepen+brief": 0.42, "concretise+brief": 0.38}
BASE_PAIR = "keep+careful"


def make_config(title: str = "Synthetic run") -> Config:
    model = ModelConfig(kind=EngineKind.vllm, model="packaged:smollm2-135m-instruct")
    return Config(
        models={"smollm": model},
        agents=AgentsConfig(
            instruction={
                "keep": AgentConfig(prompt="keep"),
                "deepen": AgentConfig(model="smollm", prompt="deepen"),
                "concretise": AgentConfig(model="smollm", prompt="concretise"),
            },
            response={
                "careful": AgentConfig(model="smollm", prompt="answer"),
                "brief": AgentConfig(model="smollm", prompt="answer_brief"),
            },
            pairs=list(QUALITY),
            base_pairs=[BASE_PAIR],
        ),
        evolution=EvolutionConfig(draws=2),
        scoring=ScoringConfig(
            target=ScorerModelConfig(model="packaged:smollm2-135m-instruct"),
            larger=ScorerModelConfig(model="packaged:gemma-3-270m"),
        ),
        judge=JudgeConfig(model="smollm"),
        output=OutputConfig(title=title),
    )


def make_seed(
    number: int, rng: random.Random, text: str | None = None, pairs: dict[str, float] = QUALITY
) -> list[Candidate]:
    """The base pair's and two drawn pairs' candidates of one seed. `text` replaces every text in them."""
    instruction = text or f"Explain how a heat pump moves heat, part {number}."
    response = text or "It uses a compressor and a refrigerant to carry heat from outside to inside. " * 2
    seed_id = stable_id("seed", str(number))
    seed = (Message("user", instruction), Message("assistant", response))
    candidates = []
    for pair in [BASE_PAIR, *rng.sample(list(pairs), 2)]:
        rewriter, responder = pair.split("+", 1)
        candidate = Candidate(
            seed_id=seed_id,
            candidate_id=stable_id(seed_id, pair),
            pair=pair,
            instruction_agent=rewriter,
            response_agent=responder,
            propensity=1.0 if pair == BASE_PAIR else 0.5,
            seed_messages=seed,
            neighbours=rng.choice([0, 4, 9]) if number > 20 else 0,
            seed_row=number,
            base=pair == BASE_PAIR,
            domain_similarity=rng.uniform(0.5, 0.9) if number > 20 else None,
            seed_target_ifd=0.7,
            seed_larger_ifd=0.65,
            stage_seconds={},
            stage_tokens={},
        )
        _measure(candidate, pairs.get(pair, 0.35), rng, text)
        candidates.append(candidate)
    best = max(candidates, key=lambda c: c.reward or 0.0)
    best.selected = (best.judge_win or 0.0) > 0.5 and bool(best.reward)
    return candidates


def _measure(candidate: Candidate, quality: float, rng: random.Random, text: str | None) -> None:
    tokens, seconds = candidate.stage_tokens, candidate.stage_seconds
    assert tokens is not None
    assert seconds is not None
    if candidate.instruction_agent != "keep":
        tokens |= {"rewrite.in": 180, "rewrite.out": rng.randint(30, 60)}
        seconds["rewrite"] = rng.uniform(0.4, 1.0)
    if rng.random() < 0.06:
        candidate.failed_stage, candidate.failed_agent = "rewrite", candidate.instruction_agent
        candidate.error_class, candidate.error_message = "EngineError", text or "the engine gave up"
        return
    if rng.random() < 0.15:
        candidate.reject_reason = rng.choice(["rewrite_echo", "refusal", "cut_off"])
        candidate.reward = 0.0
        candidate.rejected_text = text or "I'm sorry, but I can't help with that."
        return
    tokens |= {"answer.in": 120, "answer.out": rng.randint(60, 220), "judge.in": 900, "judge.out": 40}
    seconds |= {
        "answer": rng.uniform(1.0, 4.0),
        "score": rng.uniform(0.1, 0.3),
        "judge": rng.uniform(0.5, 1.0),
    }
    candidate.messages = (
        Message("user", text or candidate.seed_messages[-2].content + " Name two limits in cold climates."),
        Message("assistant", text or "A heat pump boils a refrigerant at low pressure. " * rng.randint(2, 9)),
    )
    candidate.target_status = candidate.larger_status = "ok"
    candidate.target_ifd = math.exp(rng.gauss(-0.3, 0.22))
    candidate.larger_ifd = candidate.target_ifd * math.exp(rng.gauss(-0.08, 0.12))
    candidate.ifd_gap = candidate.target_ifd - candidate.larger_ifd
    candidate.target_tokens = candidate.larger_tokens = tokens["answer.out"]
    if rng.random() < 0.03:
        return
    win = min(max(rng.gauss(quality, 0.2), 0.0), 1.0)
    shift = rng.uniform(0.0, 0.2)
    candidate.judge_win_first, candidate.judge_win_second = min(win + shift, 1.0), max(win - shift, 0.0)
    candidate.judge_win = (candidate.judge_win_first + candidate.judge_win_second) / 2
    candidate.judge_agreement = (candidate.judge_win_first > 0.5) == (candidate.judge_win_second > 0.5)
    candidate.judge_reason = text or "The second answer is more complete."
    gap_rank = min(max(0.5 + 3 * candidate.ifd_gap, 0.0), 1.0)
    usable = candidate.ifd_gap > 0 and candidate.target_ifd < 1 and candidate.larger_ifd < 1
    candidate.difficulty = gap_rank if usable else 0.0
    candidate.reward = candidate.difficulty * candidate.judge_win


def _failed(candidate: Candidate) -> Candidate:
    known = ("seed_id", "candidate_id", "pair", "instruction_agent", "response_agent", "propensity", "base")
    return Candidate(
        **{name: getattr(candidate, name) for name in known},
        seed_messages=candidate.seed_messages,
        failed_stage="rewrite",
    )


def write_run(
    path: Path,
    seeds: int = 60,
    text: str | None = None,
    pairs: dict[str, float] = QUALITY,
    facts: dict[str, Any] | None = None,
    seeds_per_shard: int = 25,
    dead: bool = False,
    edit: Callable[[list[Candidate]], None] = lambda seed: None,
) -> Path:
    """A finished run directory. `text` replaces every text of seeds and models; `facts` adds to the
    coordinator's facts; with `dead` engines every candidate failed. `edit` may change each seed's candidates.
    """
    rng = random.Random(7)
    (path / "candidates").mkdir(parents=True)
    made = [make_seed(number, rng, text, pairs) for number in range(seeds)]
    if dead:
        made = [[_failed(candidate) for candidate in seed] for seed in made]
    for seed in made:
        edit(seed)
    folder = RunDirectory(path)
    shards = [
        folder.write_shard(
            f"part-{part:06d}.parquet",
            [candidate for seed in made[start : start + seeds_per_shard] for candidate in seed],
        )
        for part, start in enumerate(range(0, seeds, seeds_per_shard))
    ]
    config = make_config(text or "Synthetic run")
    config.agents.pairs = list(pairs)
    (path / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    write_state(path, shards, seeds, config)
    run = {
        "engines": {"smollm": "vllm"},
        "parts": {"judge": "vllm", "target": "transformers", "larger": "transformers"},
        "seeds": seeds,
        "bad_rows": 2,
        "duplicates": 1,
        "memory_enabled": True,
        "wall_seconds": 412.0,
        "finished": True,
        "fingerprint": "0f3ab5",
        "machine": {"cpu": text or "2 cores"},
        "versions": {"vllm": "0.32.0", "ray": "2.60.0"},
    }
    summary = summarise(folder.seeds(), {**run, **(facts or {})}, config)
    (path / "summary.json").write_text(json.dumps(summary, allow_nan=False), encoding="utf-8")
    write_manifest(path, seeds)
    return path


@pytest.fixture
def run_writer(tmp_path: Path) -> Callable[..., Path]:
    """`write_run` with a fresh folder."""

    def write(**settings: Any) -> Path:
        return write_run(tmp_path / f"run-{len(list(tmp_path.iterdir()))}", **settings)

    return write


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 40 seeds on fake engines in this process, with recall; read-only."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    memory = ["memory.warmup=0", "memory.min_similarity=0.2"]
    config = load_config(FAKE, [f"output.dir={folder}", "seeds.limit=40", *memory])
    asyncio.run(local_run(config))
    return folder
