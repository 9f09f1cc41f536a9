"""Reasoning of seeds in a whole run: no request carries it, and it follows the response agents' setting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from staragents.agents.kept_reasoning import keeps_reasoning, reasoning_notes
from staragents.agents.probes import probes_of
from staragents.analysis.saved_run import SavedRun
from staragents.base.generation import GenerationRequest
from staragents.base.messages import Conversation
from staragents.config import Config
from staragents.export.exporter import export
from staragents.run_directory.run_directory import RunDirectory
from staragents.scoring.ifd import Score
from staragents.validation.loading import load_config
from tests.support.local_run import LocalHandle, LocalScorer, local_handles, local_run
from tests.support.paths import FAKE

pytestmark = pytest.mark.slow

EARLIER, LAST = "They mean slugs in beds.", "Seals come first, then traps."
SEED = {
    "messages": [
        {"role": "user", "content": "How do I keep slugs away?"},
        {"role": "assistant", "content": "Put copper tape round the beds.", "reasoning_content": EARLIER},
        {"role": "user", "content": "And in a greenhouse, which way?"},
        {"role": "assistant", "content": f"<think>{LAST}</think>\n\nCheck the seals, then put out boards."},
    ]
}
KEEP = tuple(f"agents.response.{name}.reasoning=keep" for name in ("direct", "step_by_step"))
THINKS = "models.writer.fake.thinks=true"
REPLACED = ("reward.require_win=false", "reward.difficulty=target_only")
STAYS = "models.writer.fake.refusal_rate=1"


class Handle:
    """Records requests."""

    def __init__(self, pool: LocalHandle, seen: list[GenerationRequest]) -> None:
        self._pool, self._seen = pool, seen

    async def remote(self, request: GenerationRequest) -> Any:
        self._seen.append(request)
        return await self._pool.remote(request)


class Scorer(LocalScorer):
    seen: list[Conversation]

    async def score(self, messages: Conversation) -> tuple[Score, float]:
        self.seen.append(messages)
        return await super().score(messages)


def config_of(folder: Path, *overrides: str) -> Config:
    path = folder / "seeds.jsonl"
    path.write_text(json.dumps(SEED) + "\n")
    fixed = (f"seeds.path={path}", f"output.dir={folder / 'run'}", "memory.enabled=false")
    return load_config(FAKE, [*fixed, *overrides])


async def recorded(config: Config) -> tuple[dict[str, Any], list[GenerationRequest], list[Conversation]]:
    """Summary, requests and scored conversations of a run."""
    asked: list[GenerationRequest] = []
    scored: list[Conversation] = []

    def scorer(role: str) -> LocalScorer:
        made = Scorer(role)
        made.seen = scored
        return made

    pools = {name: Handle(pool, asked) for name, pool in (await local_handles(config)).items()}
    return await local_run(config, handles=pools, scorer=scorer), asked, scored


def rows(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "run/dataset.jsonl").read_text().splitlines()]
    table = pq.read_table(folder / "run/dataset.parquet").to_pylist()
    assert [thoughts(row) for row in table] == [thoughts(row) for row in lines]
    return lines


def thoughts(row: dict[str, Any]) -> list[str]:
    return [turn["reasoning_content"] for turn in row["messages"] if turn.get("reasoning_content")]


@pytest.mark.parametrize("setting", [(), KEEP], ids=["drop", "keep"])
@pytest.mark.parametrize("compare", ["pair", "response_same_instruction"])
async def test_no_request_carries_the_reasoning_of_a_seed(
    tmp_path: Path, compare: str, setting: tuple[str, ...]
) -> None:
    config = config_of(tmp_path, THINKS, *setting, f"judge.compare={compare}")
    _, asked, _ = await recorded(config)
    for stage in ("rewrite", "answer", "judge"):
        assert any(f"-{stage}-" in request.request_id for request in asked), stage
    for request in (*asked, *(probe for name in config.models for probe in probes_of(config, name))):
        turns = request.messages or ()
        assert all(turn.reasoning_content is None for turn in turns)
        said = f"{request.prompt}{' '.join(turn.content for turn in turns)}"
        assert EARLIER not in said
        assert LAST not in said


async def test_a_seed_that_stays_keeps_its_reasoning_in_its_own_field_if_answers_do(tmp_path: Path) -> None:
    summary, _, scored = await recorded(config_of(tmp_path, *KEEP, STAYS))
    (row,) = rows(tmp_path)
    assert (row["source"], thoughts(row)) == ("seed", [EARLIER, LAST])
    assert "<think>" not in json.dumps(row)
    assert row["messages"][-1]["content"] == "Check the seals, then put out boards."
    assert summary["run"]["dataset"]["reasoning"] == 1
    assert any(turns[-1].reasoning_content == LAST for turns in scored)


async def test_a_seed_that_stays_loses_its_reasoning_if_answers_do(tmp_path: Path) -> None:
    summary, _, scored = await recorded(config_of(tmp_path, THINKS, STAYS))
    (row,) = rows(tmp_path)
    assert (row["source"], thoughts(row)) == ("seed", [])
    assert row["messages"][-1]["content"] == "Check the seals, then put out boards."
    assert summary["run"]["dataset"]["reasoning"] == 0
    assert not any(turn.reasoning_content for turns in scored for turn in turns)
    run = RunDirectory(tmp_path / "run")
    assert not any(turn.reasoning_content for seed in run.seeds() for c in seed for turn in c.seed_messages)


async def test_a_new_answer_follows_earlier_turns_with_their_reasoning(tmp_path: Path) -> None:
    await recorded(config_of(tmp_path, THINKS, *KEEP, *REPLACED))
    (row,) = rows(tmp_path)
    earlier, answer = thoughts(row)
    assert (row["source"], earlier) == ("candidate", EARLIER)
    assert answer.startswith("[fake]")


async def test_a_new_answer_follows_earlier_turns_without_it(tmp_path: Path) -> None:
    await recorded(config_of(tmp_path, THINKS, *REPLACED))
    (row,) = rows(tmp_path)
    assert (row["source"], thoughts(row)) == ("candidate", [])
    exported = export(SavedRun.open(tmp_path / "run"), "kto", tmp_path / "kto.jsonl")
    assert exported.reasoning == 0


def test_it_is_said_if_reasoning_is_dropped(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    (line,) = reasoning_notes(config, 7)
    assert "the reasoning of 7 seeds is dropped" in line
    assert KEEP[0] in line
    assert not keeps_reasoning(config)
    assert not list(reasoning_notes(config, 0))
    assert not list(reasoning_notes(config_of(tmp_path, KEEP[1]), 7))
    pairs = "agents.pairs=[keep+direct,deepen+direct]"
    unused = (pairs, "agents.base_pairs=[keep+direct]", "evolution.draws=1")
    assert list(reasoning_notes(config_of(tmp_path, KEEP[1], *unused), 7)) == [line]
