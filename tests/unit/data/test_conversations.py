"""Earlier turns and system prompts reach every stage and appear unchanged in the dataset."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from rich.console import Console

from cluster.cli import preview
from cluster.cli.explain import explain
from staragents.agents.agents import history_notes
from staragents.base.generation import GenerationRequest
from staragents.base.messages import Conversation, Message, as_dicts
from staragents.base.system_turn import chat_turns
from staragents.config import SeedsConfig
from staragents.data.seed_file import SeedFile
from staragents.run_directory.run_directory import RunDirectory
from staragents.scoring.ifd import Score
from staragents.validation.loading import load_config
from tests.support.chat_tokenizer import chat_tokenizer
from tests.support.local_run import LocalHandle, LocalScorer, local_handles, local_run
from tests.support.paths import FAKE

SYSTEM = "You are a patient gardener called Ida."
TURNS = ["How do I keep slugs away?", "Put copper tape round the beds.", "And in a greenhouse, which way?"]
ANSWER = "Check the seals first, then put boards on the soil and turn them over each morning."
BEFORE = [("system", SYSTEM), ("user", TURNS[0]), ("assistant", TURNS[1])]
ROWS: dict[str, dict[str, Any]] = {
    "messages": {
        "messages": [
            {"role": "system", "content": SYSTEM},
            *(
                {"role": role, "content": text}
                for role, text in zip(("user", "assistant", "user"), TURNS, strict=True)
            ),
            {"role": "assistant", "content": ANSWER},
        ]
    },
    "sharegpt": {
        "system": SYSTEM,
        "conversations": [
            {"from": speaker, "value": text}
            for speaker, text in zip(("human", "gpt", "human", "gpt"), [*TURNS, ANSWER], strict=True)
        ],
    },
    "history": {
        "instruction": TURNS[2],
        "output": ANSWER,
        "history": [[TURNS[0], TURNS[1]]],
        "system": SYSTEM,
    },
}


@dataclass
class Seen:
    """All requests to engines and scorers in a run."""

    requests: list[GenerationRequest] = field(default_factory=list)
    scored: dict[str, list[Conversation]] = field(default_factory=lambda: {"target": [], "larger": []})

    def stage(self, name: str) -> list[str]:
        """The text of every prompt of a stage, whatever its form."""
        return [
            request.prompt or "\n".join(turn.content for turn in request.messages or ())
            for request in self.requests
            if f"-{name}" in request.request_id
        ]


class RecordingScorer(LocalScorer):
    def __init__(self, role: str, seen: Seen) -> None:
        super().__init__(role)
        self._scored = seen.scored[role]

    async def score(self, messages: Conversation) -> tuple[Score, float]:
        self._scored.append(messages)
        return await super().score(messages)


class RecordingHandle:
    def __init__(self, pool: LocalHandle, seen: Seen) -> None:
        self._pool, self._seen = pool, seen

    async def remote(self, request: GenerationRequest) -> Any:
        self._seen.requests.append(request)
        return await self._pool.remote(request)


async def recorded_run(folder: Path, row: dict[str, Any], *overrides: str) -> Seen:
    seeds = folder / "seeds.jsonl"
    seeds.write_text(json.dumps(row) + "\n")
    config = load_config(FAKE, [f"seeds.path={seeds}", f"output.dir={folder / 'run'}", *overrides])
    seen = Seen()

    pools = {name: RecordingHandle(pool, seen) for name, pool in (await local_handles(config)).items()}
    await local_run(config, handles=pools, scorer=lambda role: RecordingScorer(role, seen))
    return seen


RAW = (
    "models.writer.chat=false", "models.judge.chat=false", "agents.response.direct.prompt=few_shot",
    "agents.response.step_by_step.prompt=few_shot",
)  # fmt: skip
WHOLE = (*((role, text) for role, text in BEFORE), ("user", TURNS[2]), ("assistant", ANSWER))


def spoken(messages: Any) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in messages]


@pytest.mark.parametrize("form", list(ROWS))
async def test_every_stage_sees_the_earlier_turns(tmp_path: Path, form: str) -> None:
    seen = await recorded_run(tmp_path, ROWS[form])
    for stage in ("rewrite", "answer", "judge"):
        prompts = seen.stage(stage)
        assert prompts, stage
        for prompt in prompts:
            assert all(text in prompt for _, text in BEFORE), stage
    assert all(TURNS[2] in prompt and ANSWER not in prompt for prompt in seen.stage("rewrite"))
    assert all(ANSWER in prompt for prompt in seen.stage("judge"))
    for request in seen.requests:
        if "-answer" in request.request_id:
            assert spoken(as_dicts(request.messages or ()))[:3] == BEFORE


async def test_base_models_see_them_as_text(tmp_path: Path) -> None:
    raw = tmp_path / "rewrite.j2"
    raw.write_text("{% block raw %}{{ history }}\nUser: {{ instruction }}\nA deeper question:{% endblock %}")
    overrides = [f"agents.instruction.{name}.prompt={raw}" for name in ("deepen", "constrain", "broaden")]
    seen = await recorded_run(tmp_path, ROWS["messages"], *RAW, *overrides)
    assert all(request.messages is None for request in seen.requests)
    for stage in ("rewrite", "answer", "judge"):
        prompts = seen.stage(stage)
        assert prompts, stage
        assert all(text in prompt for prompt in prompts for _, text in BEFORE), stage


async def test_an_answer_is_scored_after_everything_before_it(tmp_path: Path) -> None:
    seen = await recorded_run(tmp_path, ROWS["messages"])
    candidates = [row for seed in RunDirectory(tmp_path / "run").seeds() for row in seed if row.generated]
    assert candidates
    for scored in seen.scored.values():
        assert {WHOLE, *(tuple(spoken(as_dicts(c.messages))) for c in candidates)} == {
            tuple(spoken(as_dicts(messages))) for messages in scored
        }


@pytest.mark.parametrize("form", list(ROWS))
async def test_the_dataset_row_is_the_conversation_with_a_new_last_exchange(
    tmp_path: Path, form: str
) -> None:
    await recorded_run(tmp_path, ROWS[form], "reward.require_win=false", "reward.difficulty=target_only")
    (row,) = pq.read_table(tmp_path / "run/dataset.parquet").to_pylist()
    assert row["source"] == "candidate"
    assert spoken(row["messages"])[:3] == BEFORE
    assert [turn["role"] for turn in row["messages"][3:]] == ["user", "assistant"]
    assert spoken(row["messages"])[3:] != list(WHOLE[3:])


async def test_the_base_pairs_answer_to_the_same_instruction_continues_the_conversation(
    tmp_path: Path,
) -> None:
    seen = await recorded_run(tmp_path, ROWS["messages"], "judge.compare=response_same_instruction")
    baselines = [request for request in seen.requests if "-baseline-" in request.request_id]
    assert baselines
    for request in baselines:
        assert spoken(as_dicts(request.messages or ()))[:3] == BEFORE
    assert all(text in prompt for prompt in seen.stage("judge") for _, text in BEFORE)


@pytest.mark.parametrize("compare", ["pair", "response_same_instruction"])
async def test_an_agent_may_continue_the_conversation_by_a_turn(tmp_path: Path, compare: str) -> None:
    names = ("deepen", "constrain", "broaden")
    prompts = [f"agents.instruction.{name}.prompt=follow_up" for name in names]
    settings = ("reward.require_win=false", "reward.difficulty=target_only", "evolution.draws=3")
    seen = await recorded_run(tmp_path, ROWS["messages"], *prompts, *settings, f"judge.compare={compare}")

    asked = [request for request in seen.requests if "-judge-" not in request.request_id]
    later = [request for request in asked if "-rewrite" not in request.request_id]
    assert all(ANSWER in prompt for prompt in seen.stage("rewrite"))
    continued = [request for request in later if spoken(as_dicts(request.messages or ()))[:5] == list(WHOLE)]
    assert continued
    assert {len(request.messages or ()) for request in continued} == {6}

    (candidates,) = RunDirectory(tmp_path / "run").seeds()
    longer = [c for c in candidates if c.generated and c.instruction_agent in names]
    assert longer
    for candidate in longer:
        messages = spoken(as_dicts(candidate.messages))
        assert messages[:5] == list(WHOLE)
        assert [role for role, _ in messages[5:]] == ["user", "assistant"]
        assert candidate.messages in seen.scored["target"]
        assert candidate.target_ifd is not None
        assert candidate.judge_win is not None
    (kept,) = (c for c in candidates if c.base)
    assert spoken(as_dicts(kept.messages))[:4] == list(WHOLE[:4])


async def test_preview_and_explain_show_it_too(tmp_path: Path) -> None:
    await recorded_run(tmp_path, ROWS["messages"])
    run = RunDirectory(tmp_path / "run")
    console = Console(record=True, width=200, file=(tmp_path / "out").open("w"))
    preview.show(console, next(run.seeds()))
    for said in (console.export_text(), CliRunner().invoke(explain, [str(run.path), "1"]).output):
        assert all(text in said for _, text in BEFORE)


def test_a_prompt_without_history_is_named(tmp_path: Path) -> None:
    blind = tmp_path / "blind.j2"
    blind.write_text("Make this harder: {{ instruction }}")
    change = [f"agents.instruction.deepen.prompt={blind}", f"agents.response.direct.prompt={blind}"]
    (note,) = history_notes(load_config(FAKE, change))
    assert note.startswith(f"note: agents.instruction.deepen.prompt: {blind} has no {{{{ history }}}}")
    assert history_notes(load_config(FAKE)) == []


def test_a_raw_prompt_without_history_is_named_for_a_chat_model_too(tmp_path: Path) -> None:
    raw = tmp_path / "raw.j2"
    raw.write_text("{% block raw %}User: {{ instruction }}\nAssistant:{% endblock %}")
    (note,) = history_notes(load_config(FAKE, [f"agents.response.direct.prompt={raw}"]))
    assert note.startswith(f"note: agents.response.direct.prompt: {raw} has no {{{{ history }}}}")


def test_a_scan_counts_earlier_turns(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    lone = {"instruction": "Name a colour.", "output": "Blue."}
    rows = [*ROWS.values(), lone, {**lone, "system": SYSTEM}, {**lone, "history": [["Hi.", "Hello."]]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scan = SeedFile(SeedsConfig(path=str(path))).scan()
    # The first three are one conversation in three formats.
    assert (scan.seeds, scan.duplicates, scan.with_system, scan.multi_turn) == (4, 2, 2, 2)


SAYS = "{% for m in messages %}{{ m.content }}{% endfor %}"
RAISES = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
DROPS = SAYS.replace("{{ m.content }}", "{{ m.content if m.role != 'system' }}")


@pytest.mark.parametrize(("template", "keeps"), [(SAYS, True), (RAISES + SAYS, False), (DROPS, False)])
def test_a_system_text_reaches_the_prompt_whatever_the_chat_template_does_with_it(
    template: str, keeps: bool
) -> None:
    messages = (Message("system", "Be kind."), Message("user", "Hi."), Message("assistant", "Hello."))
    tokenizer = chat_tokenizer(template)
    found = chat_turns(messages, tokenizer)
    assert "Be kind." in tokenizer.apply_chat_template(as_dicts(found), tokenize=False)
    assert (found == messages) is keeps
    assert found[-1] == messages[-1]
    assert chat_turns(messages[1:], tokenizer) == messages[1:]
