"""Reasoning in the files of a run, in its pages and exports, and files of versions without it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from datasets import load_dataset

from cluster.driver.results import Result
from cluster.job import cli
from staragents.analysis.saved_run import SavedRun
from staragents.base.candidate_schema import (
    CANDIDATE_SCHEMA,
    CONVERSATION_TYPE,
    PLAIN_CONVERSATION_TYPE,
    candidates_of,
    candidates_table,
    is_candidate_schema,
)
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.data.formats.known import FORMATS
from staragents.export.exporter import export
from staragents.export.hub import Push
from staragents.export.recipes import write_recipes
from staragents.report.dataset_card import write_card
from staragents.report.report import write_report
from staragents.run.dataset import writing_dataset
from staragents.run.repair import repair
from staragents.run_directory.file_facts import facts_of
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.local_run import drained_run, local_run
from tests.support.paths import FAKE
from tests.support.run_files import write_manifest

pytestmark = pytest.mark.slow

THOUGHT = "The user asks for two limits.\n</details><script>alert(1)</script>\nCold air holds less heat."


def think(seed: list[Candidate]) -> None:
    """Every other candidate of a seed keeps its reasoning."""
    for candidate in seed[::2]:
        if candidate.messages:
            *before, answer = candidate.messages
            if candidate.instruction_agent == "keep":
                before = list(candidate.seed_messages[:-1])
            candidate.messages = (*before, replace(answer, reasoning_content=THOUGHT))


@pytest.fixture
def thinking(run_writer: Callable[..., Path]) -> Path:
    """A run in which some candidates have reasoning, with its dataset."""
    folder = run_writer(edit=think, seeds=20)
    run = RunDirectory(folder)
    for seed in (groups := list(run.seeds())):
        best = max(seed, key=lambda candidate: candidate.reward or 0.0)
        best.selected = bool(best.reward)
    config = Config()
    with writing_dataset(run, config) as dataset:
        for seed in groups:
            dataset.add_seed(seed)
    summary = json.loads((folder / "summary.json").read_text())
    summary["run"]["dataset"] = {"reasoning": dataset.written.reasoning}
    (folder / "summary.json").write_text(json.dumps(summary))
    write_manifest(folder, 20)
    return folder


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def thoughts(row: dict[str, Any], column: str = "messages") -> list[str]:
    return [turn["reasoning_content"] for turn in row[column] if turn.get("reasoning_content")]


def reasoned(folder: Path) -> int:
    return sum(bool(thoughts(row)) for row in rows(folder / "dataset.jsonl"))


def test_the_dataset_has_reasoning_apart_from_the_content(thinking: Path) -> None:
    lines, table = rows(thinking / "dataset.jsonl"), pq.read_table(thinking / "dataset.parquet").to_pylist()
    assert 3 < reasoned(thinking) < len(lines)
    assert [thoughts(row) for row in lines] == [thoughts(row) for row in table]
    assert not any(THOUGHT in turn["content"] for row in lines for turn in row["messages"])
    for row in lines[1:]:
        assert all(
            ("reasoning_content" in turn) == bool(thoughts({"messages": [turn]})) for turn in row["messages"]
        )
    for builder, name in (("json", "dataset.jsonl"), ("parquet", "dataset.parquet")):
        cache = str(thinking / "cache")
        loaded = load_dataset(builder, data_files=str(thinking / name), cache_dir=cache)["train"]
        assert [thoughts(row) for row in loaded] == [thoughts(row) for row in lines]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", ["messages", "sharegpt", "dpo", "kto"])
def test_formats_of_turns_keep_reasoning(thinking: Path, tmp_path: Path, name: str, suffix: str) -> None:
    exported = export(SavedRun.open(thinking), name, tmp_path / f"f.{suffix}")
    assert exported.reasoning > 3
    assert exported.reasoning_dropped == 0
    builder = {"jsonl": "json"}.get(suffix, suffix)
    path = str(exported.train)
    loaded = load_dataset(builder, data_files=path, cache_dir=str(tmp_path / "cache"))["train"]
    found = [row for row in loaded if any(thoughts(row, column) for column in row if column != "label")]
    assert len(found) == exported.reasoning


@pytest.mark.parametrize("name", ["alpaca", "prompt-completion"])
def test_formats_of_two_texts_drop_it_and_say_so(thinking: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "f.jsonl"
    exported = export(SavedRun.open(thinking), name, path)
    assert (exported.reasoning, exported.reasoning_dropped) == (0, reasoned(thinking))
    assert "reasoning" not in path.read_text()
    assert "alert(1)" not in path.read_text()
    told = CliRunner().invoke(cli, ["export", str(thinking), "--format", name, "-o", str(path)])
    (line,) = [line for line in told.output.splitlines() if "reasoning" in line]
    count = reasoned(thinking)
    assert line.startswith(f"note: {name} has no field for reasoning: {count} rows are without theirs")


@pytest.mark.parametrize("name", FORMATS)
def test_files_without_any_reasoning_have_no_field_for_it(
    finished_run: Path, tmp_path: Path, name: str
) -> None:
    for suffix in ("jsonl", "parquet"):
        exported = export(SavedRun.open(finished_run), name, tmp_path / f"f.{suffix}")
        assert (exported.reasoning, exported.reasoning_dropped) == (0, 0)
    assert "reasoning" not in (tmp_path / "f.jsonl").read_text()
    assert "reasoning" not in str(pq.read_schema(tmp_path / "f.parquet"))


@pytest.mark.parametrize(
    ("model", "key"), [("Qwen/Qwen3-0.6B", "reasoning_content"), ("x/gpt-oss-20b", "thinking")]
)
def test_configs_name_the_field_of_reasoning(thinking: Path, tmp_path: Path, model: str, key: str) -> None:
    def written(name: str) -> dict[str, str]:
        exported = export(SavedRun.open(thinking), name, tmp_path / f"{name}.jsonl")
        return {
            path.suffixes[-2]: path.read_text()
            for path in write_recipes(exported, model)
            if path.suffix == ".yaml"
        }

    texts = written("messages")
    assert "field_thinking: reasoning_content" in texts[".axolotl"]
    assert f"template_thinking_key: {key}" in texts[".axolotl"]
    assert "LLaMA-Factory reads no reasoning_content" in texts[".llamafactory"]
    assert ("rename the key" in texts[".trl"]) == (key == "thinking")
    assert f"{key}: reasoning_content" in written("sharegpt")[".axolotl"]
    assert "pairs are trained on without reasoning" in written("dpo")[".axolotl"]


def test_report_and_cards_show_it_apart_and_escaped(thinking: Path, tmp_path: Path) -> None:
    page = write_report(SavedRun.open(thinking)).read_text(encoding="utf-8")
    assert "<details><summary>Reasoning</summary>" in page
    assert "&lt;/details&gt;&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    card = write_card(thinking).read_text(encoding="utf-8")
    assert f"{reasoned(thinking)} of them have the reasoning of the answer, apart from it" in card
    for name, said in (("messages", "rows have reasoning in `reasoning_content`"), ("alpaca", "is left out")):
        exported = export(SavedRun.open(thinking), name, tmp_path / f"{name}.jsonl")
        assert said in Push.of(SavedRun.open(thinking), exported, "me/data", private=True).card


def earlier(table: pa.Table) -> pa.Table:
    """As a version without reasoning wrote it, which had no readings of the memory bank either."""
    table = table.drop_columns("readings")
    for index, field in enumerate(table.schema):
        if field.type == CONVERSATION_TYPE:
            plain = [
                turns and [{"role": turn["role"], "content": turn["content"]} for turn in turns]
                for turns in table[field.name].to_pylist()
            ]
            table = table.set_column(index, field.name, pa.array(plain, PLAIN_CONVERSATION_TYPE))
    return table


def test_shards_of_earlier_versions_are_read(run_writer: Callable[..., Path]) -> None:
    for run in (RunDirectory(run_writer(seeds=5)), RunDirectory(run_writer(seeds=5, edit=think))):
        candidates = [candidate for seed in run.seeds() for candidate in seed]
        table = candidates_table(candidates)
        assert table.schema == CANDIDATE_SCHEMA
        back = [one for batch in table.to_batches() for one in candidates_of(batch)]
        assert back == candidates
        without_readings = table.drop_columns("readings")
        assert is_candidate_schema(without_readings.schema)
        assert is_candidate_schema(earlier(table).schema)
        assert [one for batch in without_readings.to_batches() for one in candidates_of(batch)] == candidates
        plain = [one for batch in earlier(table).to_batches() for one in candidates_of(batch)]
        assert [replace_thoughts(one) for one in candidates] == [one.messages for one in plain]


def replace_thoughts(candidate: Candidate) -> tuple[Any, ...]:
    return tuple(replace(turn, reasoning_content=None) for turn in candidate.messages)


async def test_a_run_of_an_earlier_version_resumes_and_its_results_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    config = load_config(FAKE, [f"output.dir={folder}", "seeds.limit=8", "run.checkpoint_s=0"])
    await drained_run(config, 4)
    run = RunDirectory(folder)
    as_earlier(run)
    summary = await local_run(config)
    assert summary["funnel"]["finished"] == 8
    assert Result(folder, summary).candidates.num_rows == summary["funnel"]["drawn"]
    exported = export(SavedRun.open(folder), "kto", tmp_path / "kto.parquet")
    assert exported.files["train"][1] > 0
    (folder / "run_state.json").unlink()
    repaired = repair(run, config)
    assert repaired.kept == repaired.seeds == 8


def as_earlier(run: RunDirectory) -> None:
    """The run's files as a version without reasoning wrote them."""
    state = run.state()
    assert state is not None
    for shard in state["shards"]:
        path = run.candidates / shard["name"]
        pq.write_table(earlier(pq.read_table(path)), path)
        shard.update(facts_of(path, shard["rows"]))  # type: ignore[typeddict-item]
    run.write_state(state)
