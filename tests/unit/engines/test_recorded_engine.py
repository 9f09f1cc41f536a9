"""Runs on recorded answers and verdicts: the table's contents and nothing else."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from actors.engines.choice import make_engine
from staragents.base.errors import BadInput, EngineDead
from staragents.config import EngineKind, ModelConfig
from staragents.replay.recorded_answers import RecordedAnswers
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.local_run import decided, local_run
from tests.support.recorded_config import planted_rows, recorded_config

WINS = {"good": 0.8, "bad": 0.2}


async def test_a_run_repeats_recorded_answers_and_verdicts(tmp_path: Path) -> None:
    path = recorded_config(tmp_path, WINS, rows=12, evolution={"draws": 2})
    summary = await local_run(load_config(path))
    assert summary["engine"] == "recorded"
    table = {row["instruction"]: row for row in planted_rows(WINS, 12)}
    found = [c for seed in RunDirectory(tmp_path / "run").seeds() for c in seed]
    assert len(found) == 24
    for candidate in found:
        row = table[candidate.seed_messages[-2].content]
        assert candidate.messages[-1].content == row["response"][candidate.response_agent]
        assert candidate.judge_win == pytest.approx(row["win"][candidate.response_agent])
        assert candidate.judge_win_first == pytest.approx(candidate.judge_win_second)
    assert {c.pair for c in found if c.selected} == {"keep+good"}
    again = load_config(path, [f"output.dir={tmp_path / 'again'}"])
    await local_run(again)
    assert decided(tmp_path / "again") == decided(tmp_path / "run")


async def test_hard_verdicts_are_the_likelier_side(tmp_path: Path) -> None:
    path = recorded_config(
        tmp_path, WINS, 6, evolution={"draws": 2}, judge={"verdict": "hard", "model": "judge"}
    )
    await local_run(load_config(path))
    wins = {(row["response_agent"], row["judge_win"]) for row in decided(tmp_path / "run")}
    assert wins == {("good", 1.0), ("bad", 0.0)}


async def test_a_missing_record_fails_its_candidate_and_no_other(tmp_path: Path) -> None:
    path = recorded_config(tmp_path, WINS, rows=4, evolution={"draws": 2})
    rows = planted_rows(WINS, 4)
    del rows[1]["response"]["good"]
    del rows[2]["win"]["bad"]
    (tmp_path / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    await local_run(load_config(path))
    failed = {(c["seed_row"], c["response_agent"]): c for c in decided(tmp_path / "run") if c["failed_stage"]}
    assert failed.keys() == {(2, "good"), (3, "bad")}
    answer, verdict = failed[2, "good"], failed[3, "bad"]
    assert (answer["failed_stage"], answer["messages"]) == ("answer", ())
    assert "no answer of good is recorded for 'Describe machine number 1" in answer["error_message"]
    assert (verdict["failed_stage"], verdict["judge_win"]) == ("judge", None)
    assert "no verdict" in verdict["error_message"]


async def test_a_prompt_that_is_not_the_instruction_finds_nothing(tmp_path: Path) -> None:
    response = {"good": {"model": "good", "prompt": "step_by_step"}}
    agents = {"response": response, "instruction": {"keep": {"prompt": "keep"}}}
    path = recorded_config(tmp_path, WINS, rows=4, agents=agents)
    await local_run(load_config(path))
    assert all("as in `direct`" in row["error_message"] for row in decided(tmp_path / "run"))


async def test_an_agent_missing_from_the_table_does_not_start(tmp_path: Path) -> None:
    recorded_config(tmp_path, WINS, rows=2)
    table = str(tmp_path / "table.jsonl")
    engine = make_engine(ModelConfig(kind=EngineKind.recorded, model="gpt", table=table), "")
    with pytest.raises(EngineDead, match="expected one of bad, good, got gpt"):
        await engine.start()


def test_a_config_without_a_table_is_bad_input(tmp_path: Path) -> None:
    path = recorded_config(tmp_path, WINS, rows=2)
    with pytest.raises(BadInput) as caught:
        load_config(path, ["models.good.table=gone.jsonl", "models.bad.model=''"])
    assert set(caught.value.problems) == {
        "models.good.table: expected a JSONL file of recorded answers, got 'gone.jsonl'",
        "models.bad.model: expected the name of an agent in the table, or judge, got nothing",
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("no json", ":2: expected a JSON object"),
        ('{"instruction": " ", "response": {}}', ":2:instruction:"),
        ('{"instruction": "q", "response": {"a": 1}}', ":2:response:"),
        ('{"instruction": "q", "response": {"a": "x"}, "win": {"a": 1.5}}', ":2:win:"),
        ('{"instruction": "q", "response": {"a": "x"}, "win": {"a": NaN}}', ":2:win:"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text('{"instruction": "q", "response": {"a": "x"}}\n' + line + "\n")
    with pytest.raises(BadInput) as caught:
        RecordedAnswers.read(path)
    assert caught.value.problems[0].startswith(f"{path}{expected}")


def test_a_row_nested_too_deeply_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text("[" * 100_000 + "\n")
    with pytest.raises(BadInput, match=r":1: expected a JSON object"):
        RecordedAnswers.read(path)


async def test_recorded_texts_with_an_unpaired_surrogate_are_stored_and_rejected(tmp_path: Path) -> None:
    path = recorded_config(tmp_path, WINS, rows=4, evolution={"draws": 2})
    rows = planted_rows(WINS, 4)
    rows[1]["response"]["good"] += " \ud800\x00"
    (tmp_path / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    await local_run(load_config(path))
    found = next(c for c in decided(tmp_path / "run") if (c["seed_row"], c["response_agent"]) == (2, "good"))
    assert found["reject_reason"] == "damaged"
    assert found["rejected_text"].endswith(" \ufffd\ufffd")


def test_a_gzip_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"instruction": "q  r", "response": {"a": "x"}}\n'))
    assert RecordedAnswers.read(path).text("q r", "a") == "x"


async def test_recorded_thoughts_are_split_from_recorded_answers(tmp_path: Path) -> None:
    path = recorded_config(tmp_path, WINS, rows=4, evolution={"draws": 2})
    rows = planted_rows(WINS, 4)
    for row in rows:
        row["response"]["good"] = f"<think>\nI know machines.\n</think>\n\n{row['response']['good']}"
    rows[3]["response"]["bad"] = "<think>\nI never stop"
    (tmp_path / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    await local_run(load_config(path))
    found = decided(tmp_path / "run")
    assert {c["reject_reason"] for c in found if c["seed_row"] == 4} == {None, "thought_cut_off"}
    good = [c for c in found if c["response_agent"] == "good"]
    assert [c["judge_win"] for c in good] == [pytest.approx(row["win"]["good"]) for row in rows]
    assert "I know machines" not in str([c["messages"] for c in good])
    assert all(c["stage_tokens"]["answer.reasoning"] > 0 for c in good)
