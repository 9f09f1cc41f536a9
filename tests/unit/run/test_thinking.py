"""Runs with models that think: no thought in any text, tokens counted apart, and a judge that never answers.

The models are fake and say so; their thoughts are split from their answers as those of real models are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from staragents.analysis.diagnosis import _findings
from staragents.analysis.saved_run import SavedRun
from staragents.base.errors import RunFailed
from staragents.base.records import Candidate, Stage
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.evolution.policy import NO_CONTEXT, Draw
from staragents.run.silent_judge import LEAST, MOST, candidates_tried, silence
from staragents.validation.loading import load_config
from tests.support.file_text import text_of
from tests.support.local_run import decided, drained_run, local_handles, local_run, local_worker, state
from tests.support.paths import FAKE

pytestmark = pytest.mark.slow

THINKS = ("models.writer.fake.thinks=true", "models.judge.fake.thinks=true")
SILENT = ("models.judge.fake.thinks=true", "models.judge.thinking_tokens=5")


def config(out: Path, *overrides: str) -> Config:
    fixed = ("memory.enabled=false", "run.checkpoint_s=0", "run.admitted_seeds=4", "seeds.limit=12")
    return load_config(FAKE, [*fixed, f"output.dir={out}", *overrides])


def quarantined(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "quarantine.parquet").to_pylist()


async def candidates_of_a_seed(settings: Config) -> list[Candidate]:
    """Every pair's candidate of the first seed, before they are saved."""
    seed = next(SeedFile(settings.seeds).seeds(start=0))
    worker = local_worker(settings, await local_handles(settings))
    return await worker.run(seed, [Draw(pair, 1.0) for pair in settings.pairs], NO_CONTEXT)


async def test_no_thought_is_part_of_a_text_and_its_tokens_are_counted_apart(tmp_path: Path) -> None:
    summary = await local_run(config(tmp_path / "thinks", *THINKS))
    plain = await local_run(config(tmp_path / "plain"))
    for name in ("dataset.jsonl", "dataset.parquet", "candidates/part-000000.parquet"):
        assert "think>" not in text_of(tmp_path / "thinks" / name)

    rows, others = decided(tmp_path / "thinks"), decided(tmp_path / "plain")
    texts = [[turn.content for turn in row["messages"]] for row in (*rows, *others) if row["messages"]]
    assert any(texts)
    assert all("[fake]" in turns[-1] and turns[-1].count("[fake]") == 1 for turns in texts)
    cost = summary["cost"]
    thought = sum(stage.get("reasoning_tokens", 0) for stage in cost["stages"].values())
    assert 0 < cost["reasoning_tokens"] == thought < cost["tokens_out"]
    by_model = summary["run"]["ledger"]["models"]
    assert sum(model["reasoning_tokens"] for model in by_model.values()) == thought
    assert summary["judge"]["tried"] == summary["judge"]["judged"] > 0
    assert "reasoning_tokens" not in json.dumps(plain)
    shown = "of the generated ones for thoughts"
    assert shown in (tmp_path / "thinks" / "report.html").read_text()
    assert shown not in (tmp_path / "plain" / "report.html").read_text()


async def test_a_thought_changes_no_answer(tmp_path: Path) -> None:
    """A fake model writes the same answer with and without a thought."""
    thinking = await candidates_of_a_seed(config(tmp_path, *THINKS))
    plain = await candidates_of_a_seed(config(tmp_path))
    assert [c.messages for c in thinking] == [c.messages for c in plain]
    assert [c.judge_win for c in thinking] == [c.judge_win for c in plain]
    assert all(f"{Stage.answer}.reasoning" in (c.stage_tokens or {}) for c in thinking)
    assert not any(key.endswith("reasoning") for c in plain for key in c.stage_tokens or {})


async def test_a_kept_thought_has_its_own_field(tmp_path: Path) -> None:
    keep = "agents.response.step_by_step.reasoning=keep"
    written = [c for c in await candidates_of_a_seed(config(tmp_path, *THINKS, keep)) if c.messages]
    assert {c.response_agent for c in written} == {"direct", "step_by_step"}
    for candidate in written:
        *earlier, answer = candidate.messages
        kept = candidate.response_agent == "step_by_step"
        assert (answer.reasoning_content is not None) is kept
        assert not kept or (answer.reasoning_content or "").startswith("[fake]")
        assert all(turn.reasoning_content is None for turn in earlier)
    dropped = await candidates_of_a_seed(config(tmp_path, *THINKS))
    assert [c.judge_win for c in dropped if c.messages] == [c.judge_win for c in written]  # not shown to it


async def test_a_model_asked_not_to_think_does_not(tmp_path: Path) -> None:
    off = ("models.writer.reasoning=off", "models.judge.reasoning=off")
    found = await candidates_of_a_seed(config(tmp_path, *THINKS, *off))
    assert [c.messages for c in found] == [c.messages for c in await candidates_of_a_seed(config(tmp_path))]
    assert not any(c.thought_by_stage() for c in found)


async def test_thoughts_that_were_cut_off_are_rejected_and_the_setting_is_named(tmp_path: Path) -> None:
    out = tmp_path / "cut"
    summary = await local_run(config(out, *THINKS, "models.writer.thinking_tokens=5"))
    reasons = summary["funnel"]["rejected"]
    assert {*reasons} == {"rewrite_thought_cut_off", "thought_cut_off"}
    assert sum(reasons.values()) == summary["funnel"]["drawn"]
    advice = "try a larger models.writer.thinking_tokens or models.writer.reasoning=off"
    assert any(advice in warning for warning in summary["warnings"])
    assert not any("stronger model" in warning for warning in summary["warnings"][:2])
    assert {row["message"] for row in quarantined(out)} == {*reasons}
    assert all(row["rejected_text"].startswith("[fake]") for row in decided(out))


async def test_a_judge_that_never_answers_ends_the_run_and_may_be_tried_again(tmp_path: Path) -> None:
    settings = config(tmp_path / "run", "seeds.limit=60", *SILENT)
    tried = candidates_tried(settings, 60)
    for _ in range(2):
        with pytest.raises(RunFailed, match=r"no readable verdict on any of \d+ candidates") as error:
            await local_run(settings)
        message = str(error.value)
        assert "try a larger models.judge.thinking_tokens (now 5) or models.judge.reasoning=off" in message
        assert "the first: the judge was still thinking at its token limit: [fake]" in message
        assert "\n" not in message
    saved = state(tmp_path / "run")
    assert saved["cursor"] < 60
    assert 2 * tried <= saved["progress"]["unreadable"] <= 2 * tried + 8


async def test_an_interrupted_run_goes_on_counting(tmp_path: Path) -> None:
    settings = config(tmp_path / "run", "seeds.limit=60", "run.admitted_seeds=1", *SILENT)
    await drained_run(settings, 1)
    before = state(tmp_path / "run")["progress"]["unreadable"]
    assert 0 < before < candidates_tried(settings, 60)
    with pytest.raises(RunFailed, match="no readable verdict"):
        await local_run(settings)
    after = state(tmp_path / "run")["progress"]["unreadable"]
    assert candidates_tried(settings, 60) <= after < candidates_tried(settings, 60) + 3


async def test_unreadable_verdicts_are_named_everywhere(tmp_path: Path) -> None:
    """A run that is too short to be ended: three seeds."""
    out = tmp_path / "run"
    summary = await local_run(config(out, "seeds.limit=3", *SILENT))
    judge = summary["judge"]
    assert judge["unreadable"] == judge["tried"] == judge["still_thinking"] > 0
    assert judge["first_unreadable"].startswith("the judge was still thinking at its token limit: [fake]")
    rows = [row for row in quarantined(out) if row["stage"] == "judge"]
    assert (
        len(rows)
        == judge["unreadable"]
        == summary["run"]["quarantined"] - sum(summary["funnel"]["rejected"].values())
    )
    assert {(row["agent"], row["error_class"]) for row in rows} == {("judge", "Unreadable")}
    assert judge["first_unreadable"] in {row["message"] for row in rows}
    assert judge["first_unreadable"] in (out / "report.html").read_text()
    saved = SavedRun.open(out)
    numbers = {"policy": {"locked_in": None, "agreement": None}, "memory": {}, "domains": None}
    cost = {"share_of_seconds": {}, "share_of_thoughts": 0.9}
    findings = [*summary["warnings"], *_findings(saved, {**numbers, "cost": cost})]
    assert any("models.judge.thinking_tokens" in finding for finding in findings)
    assert any("thoughts are 90% of the generated tokens" in finding for finding in findings)


def test_the_number_of_candidates_tried_grows_with_the_run(tmp_path: Path) -> None:
    settings = config(tmp_path)
    assert candidates_tried(settings, 1) == LEAST
    assert LEAST < candidates_tried(settings, 200) < MOST
    assert candidates_tried(settings, 100_000) == MOST
    assert silence(settings, 100, verdicts=1, unreadable=99, first="") == ""
    other = silence(settings, 100, verdicts=0, unreadable=99, first="no verdict in the judge's answer: hm")
    assert "judge.reason=false, models.judge.reasoning=off if it thinks, or another judge.model" in other
