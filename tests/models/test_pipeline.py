"""The real pipeline on four seeds; its numbers are recomputed independently."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
import torch

from staragents.analysis.explanation import Explanation
from staragents.data.seed_file import SeedFile
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.gpu_share import GPU_SHARE
from tests.support.loaded_models import model_of, tokenizer_of
from tests.support.paths import ROOT

SEEDS = 4
DRAWS = 2
REWRITERS = ("deepen", "constrain", "concretise", "reason", "broaden", "lengthen")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory, smollm2: Any, gemma3: Any) -> Path:
    """A run whose engine was killed after the first seed: vLLM's core is a child process of its actor, which
    survives. There is no C++ compiler, which many machines lack."""
    folder = tmp_path_factory.mktemp("runs") / "four"
    command = [
        sys.executable, "-m", "cluster.job", "run", "configs/demo.yaml", f"seeds.limit={SEEDS}",
        f"output.dir={folder}", f"evolution.draws={DRAWS}", "run.checkpoint_s=0", "models.small.num_cpus=1",
        f"models.small.num_gpus={GPU_SHARE}",
        *(f"agents.instruction.{name}.max_tokens=48" for name in REWRITERS),
        *(f"agents.response.{name}.max_tokens=96" for name in ("brief", "step_by_step")),
    ]  # fmt: skip
    no_compiler = {"CXX": "/no/compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path_factory.mktemp("compiled"))}
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, env=os.environ | no_compiler) as run:
        while not (state := RunDirectory(folder).state()) or not state["cursor"]:
            assert run.poll() is None, "it ended before its first seed"
            time.sleep(0.2)
        (core,) = (p for p in psutil.Process(run.pid).children(recursive=True) if "EngineCore" in p.name())
        core.kill()
        assert run.wait(timeout=900) == 0
    return folder


@pytest.fixture(scope="module")
def candidates(run_dir: Path) -> list[dict[str, Any]]:
    return [
        row
        for shard in sorted((run_dir / "candidates").iterdir())
        for row in pq.read_table(shard).to_pylist()
    ]


def by_seed(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups = defaultdict(list)
    for row in rows:
        groups[row["seed_id"]].append(row)
    return groups


@pytest.fixture(scope="module")
def inputs(run_dir: Path) -> dict[str, tuple[str, str, str]]:
    """Content, instruction and input of each seed that has an input."""
    found = {}
    for seed in SeedFile(load_config(str(run_dir / "config.yaml"), []).seeds).seeds():
        asked = seed.messages[-2]
        if asked.input:
            found[seed.seed_id] = (asked.content, asked.instruction, asked.input)
    return found


def plain_prompt(row: dict[str, Any], inputs: dict[str, tuple[str, str, str]]) -> str:
    """`{instruction}\\n{input}\\n` for an instruction that was kept, one line per turn otherwise."""
    content, instruction, given = inputs.get(row["seed_id"], ("", "", ""))
    texts = [turn["content"] for turn in row["messages"][:-1]]
    return "".join(f"{instruction}\n{given}\n" if text == content else f"{text}\n" for text in texts)


def naive_nlls(model: Any, tokenizer: Any, prompt: str, answer: str, max_length: int) -> tuple[float, float]:
    """Mean NLL of the answer with and without the prompt: one row, two forward passes, full logits."""
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    p = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    a = tokenizer(answer, add_special_tokens=False)["input_ids"][: max_length - 1 - len(p)]
    means = []
    for context in ([start, *p], [start]):
        ids = torch.tensor([context + a])
        with torch.no_grad():
            logprobs = torch.log_softmax(model(ids).logits.float(), dim=-1)[0]
        rows = range(len(context) - 1, ids.shape[1] - 1)
        means.append(-sum(logprobs[r, t].item() for r, t in zip(rows, a, strict=True)) / len(a))
    return means[0], means[1]


def test_the_run_used_real_engines_and_made_candidates(
    run_dir: Path, candidates: list[dict[str, Any]]
) -> None:
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["engine"] == "vllm"
    assert summary["fake"] == []
    assert len(candidates) == SEEDS * (DRAWS + 1)
    assert any(row["judge_win"] is not None for row in candidates)


def test_the_death_of_the_engine_was_noticed_and_cost_no_candidate(
    run_dir: Path, candidates: list[dict[str, Any]]
) -> None:
    """A dead engine in a live actor would get every retry (ray#60145)."""
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["run"]["retries"]["small"] > 0
    assert [row["error_message"] for row in candidates if row["failed_stage"] is not None] == []


@pytest.mark.parametrize("role", ["target", "larger"])
def test_ifd_equals_a_naive_recomputation_from_the_saved_text(
    role: str,
    candidates: list[dict[str, Any]],
    inputs: dict[str, tuple[str, str, str]],
    smollm2: Any,
    gemma3: Any,
) -> None:
    scored = [row for row in candidates if row[f"{role}_ifd"] is not None]
    assert scored
    path = smollm2 if role == "target" else gemma3
    tokenizer, model = tokenizer_of(path), model_of(path)
    for row in scored[:6]:
        answer = row["messages"][-1]["content"]
        conditional, direct = naive_nlls(model, tokenizer, plain_prompt(row, inputs), answer, max_length=1024)
        assert row[f"{role}_nll_cond"] == pytest.approx(conditional, rel=1e-4)
        assert row[f"{role}_nll_direct"] == pytest.approx(direct, rel=1e-4)
        assert row[f"{role}_ifd"] == pytest.approx(math.exp(conditional - direct), rel=5e-4)


def test_propensities_are_probabilities_of_a_uniform_first_draw(candidates: list[dict[str, Any]]) -> None:
    """All seeds are drawn before the first commit, when the policy knows nothing: 2 of 13 pairs, equally
    likely."""
    drawn = [row["propensity"] for row in candidates if not row["base"]]
    assert drawn == pytest.approx([DRAWS / 13] * DRAWS * SEEDS)
    assert all(row["propensity"] == 1.0 for row in candidates if row["base"])


def test_a_replay_reproduces_the_propensities_of_every_draw(
    run_dir: Path, candidates: list[dict[str, Any]]
) -> None:
    rows = {row["seed_row"] for row in candidates}
    assert len(rows) == SEEDS
    for row in sorted(rows):
        found = Explanation.of(run_dir, str(row))
        assert found.reproduced, f"row {row}"
        assert sum(found.probabilities.values()) == pytest.approx(DRAWS + 1)  # and the base pair


def test_the_funnel_adds_up(run_dir: Path, candidates: list[dict[str, Any]]) -> None:
    funnel = json.loads((run_dir / "summary.json").read_text())["funnel"]
    rejected_before_scoring = sum(n for reason, n in funnel["rejected"].items() if reason != "misaligned")
    assert funnel["seeds"] == SEEDS == len(by_seed(candidates))
    assert funnel["drawn"] == len(candidates)
    assert funnel["generated"] == funnel["drawn"] - rejected_before_scoring - sum(funnel["failed"].values())
    assert funnel["accepted"] + funnel["kept_seed"] == SEEDS
    assert funnel["accepted"] == sum(row["selected"] for row in candidates)
    assert sum(1 for _ in (run_dir / "dataset.jsonl").open(encoding="utf-8")) == SEEDS


def test_every_chosen_candidate_wins_and_has_the_highest_composite_of_the_winners(
    candidates: list[dict[str, Any]],
) -> None:
    for rows in by_seed(candidates).values():
        winners = [row for row in rows if (row["judge_win"] or 0) > 0.6 and row["reject_reason"] is None]
        chosen = [row for row in rows if row["selected"]]
        assert len(chosen) == bool(winners)
        for row in chosen:
            assert row["judge_win"] > 0.6  # 1/2 and reward.margin
            assert row["reward"] == pytest.approx(row["judge_win"] * row["difficulty"])
            assert row["reward"] == max(winner["reward"] for winner in winners)
