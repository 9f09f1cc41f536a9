"""Scoring files without a model: the state after a kill, and other commands on the same output."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from staragents.base.errors import BadInput, RunFailed
from staragents.config import ScoredReasoning
from staragents.data.readers.row_messages import RowReader
from staragents.score_file import parts
from staragents.score_file.loading import load
from staragents.score_file.parts import Parts
from staragents.score_file.selection import Selection
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.fake_ifd_model import FakeIfdModel
from staragents.scoring.ifd import Score, ScoreRow
from tests.support.hub_cache import HubCache
from tests.support.score_jobs import Silent, Stops, job, jsonl, read, row
from tests.support.tiny_models import save_tokenizer


@pytest.mark.parametrize("rows_before", [0, 8, 9, 30, 59])
def test_a_stopped_command_resumes_and_ends_with_the_same_file(
    tmp_path: Path, data: Path, rows_before: int
) -> None:
    job(data, tmp_path / "whole.parquet")
    with pytest.raises(KeyboardInterrupt):
        job(data, tmp_path / "s.parquet", lambda role, path, s: Stops(role, rows_before))
    assert not (tmp_path / "s.parquet").exists()
    watch = Silent()
    job(data, tmp_path / "s.parquet", watch=watch)
    assert watch.scored == 60 - rows_before // 8 * 8
    assert pq.read_table(tmp_path / "s.parquet") == pq.read_table(tmp_path / "whole.parquet")


def test_a_command_whose_output_lies_in_its_data_folder_resumes(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    data.rename(folder / "data.jsonl")
    with (folder / "data.jsonl").open("ab") as file:
        file.write(b"bad\n")
    for number, path in enumerate((folder, folder / "**" / "*", folder / "*.jsonl")):
        output = folder / f"train-{number}.jsonl"
        with pytest.raises(KeyboardInterrupt):
            job(str(path), output, lambda role, path, s: Stops(role, 30))
        watch = Silent()
        job(str(path), output, watch=watch)
        assert 0 < watch.scored < 60
        assert (folder / f"{output.name}.quarantine.jsonl").exists()
        again = Silent()
        job(str(path), output, watch=again)
        assert again.lines == [f"{output.name} is already finished"]
        for written in folder.glob("train*"):
            written.unlink()


def test_a_kill_before_the_parts_are_removed_is_finished_by_the_same_command(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    data.rename(folder / "data.jsonl")

    def killed(parts: Parts) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Parts, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            job(folder, folder / "s.jsonl")
    assert (folder / "s.jsonl").exists()
    assert (folder / "s.jsonl.parts").exists()
    job(folder, folder / "s.jsonl")
    assert len(read(folder / "s.jsonl")) == 60


def test_a_file_of_the_data_is_no_output(tmp_path: Path, data: Path) -> None:
    before = data.read_bytes()
    for path in (data, tmp_path, tmp_path / "*.jsonl"):
        with pytest.raises(BadInput, match=r"^-o: expected a file that is not in DATA"):
            job(path, data, overwrite=True)
    assert data.read_bytes() == before


def test_parts_left_half_joined_by_a_kill_are_read_once(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "WRITE_EVERY_S", 0.0)
    monkeypatch.setattr(parts, "PARTS_TO_JOIN", 3)
    job(data, tmp_path / "whole.parquet")

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            job(data, tmp_path / "s.parquet")
    names = sorted(p.name for p in (tmp_path / "s.parquet.parts").glob("part-*"))
    assert len(names) == 4
    (tmp_path / "s.parquet.parts" / ".part-000000000024-000000000032.parquet.tmp").write_bytes(b"PAR")
    job(data, tmp_path / "s.parquet")
    assert pq.read_table(tmp_path / "s.parquet") == pq.read_table(tmp_path / "whole.parquet")


@pytest.mark.parametrize("suffix", ["s.parquet", "s.parquet.summary.json", "s.parquet.quarantine.jsonl"])
def test_a_full_disk_at_the_end_is_one_line_and_the_same_command_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    data = jsonl(tmp_path / "data.jsonl", [row(0), {"text": "bad"}])

    def full(source: Path, target: Path) -> None:
        if target.name == suffix:
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    rename = os.replace
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(RunFailed, match=r"^-o: can't write .*s\.parquet: No space left on device$"):
            job(data, tmp_path / "s.parquet")
    assert not (tmp_path / "s.parquet").exists()
    assert not list(tmp_path.rglob(".*.tmp"))
    (tmp_path / "s.parquet.parts" / ".s.parquet.0123abcd.tmp").touch()
    watch = Silent()
    job(data, tmp_path / "s.parquet", watch=watch)
    assert watch.scored == 0
    names = [f"s.parquet{end}" for end in ("", ".quarantine.jsonl", ".summary.json")]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", *names]


@pytest.mark.parametrize("from_stdin", [False, True])
def test_a_full_disk_while_rows_are_scored_is_one_line_and_the_same_command_resumes(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, from_stdin: bool
) -> None:
    written = []

    def full(source: Path, target: Path) -> None:
        if target.name.startswith("part-"):
            if written:
                raise OSError(errno.ENOSPC, "No space left on device")
            written.append(target)
        rename(source, target)

    rename = os.replace
    source = Path("-") if from_stdin else data
    monkeypatch.setattr(parts, "WRITE_EVERY_S", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        if from_stdin:
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.read_bytes())))
        with pytest.raises(
            RunFailed, match=r"^-o: can't write .*part-.*: No space left on device; run the same"
        ):
            job(source, tmp_path / "s.parquet")
    assert not list(tmp_path.rglob("*.stdin.jsonl"))
    if from_stdin:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.read_bytes())))
    watch = Silent()
    job(source, tmp_path / "s.parquet", watch=watch)
    assert watch.scored == 60 - int(written[0].stem.split("-")[2])


def test_a_part_cut_short_by_a_crash_is_scored_again(tmp_path: Path, data: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        job(data, tmp_path / "s.jsonl", lambda role, path, s: Stops(role, 30))
    part = min((tmp_path / "s.jsonl.parts").glob("part-*"))
    part.write_bytes(part.read_bytes()[:100])
    job(data, tmp_path / "s.jsonl")
    assert len(read(tmp_path / "s.jsonl")) == 60


def test_a_damaged_part_is_reported_and_its_rows_are_scored_again(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "WRITE_EVERY_S", 0.0)
    job(data, tmp_path / "whole.parquet")
    with pytest.raises(KeyboardInterrupt):
        job(data, tmp_path / "s.parquet", lambda role, path, s: Stops(role, 30))
    first, second, third = sorted((tmp_path / "s.parquet.parts").glob("part-*"))
    content = bytearray(second.read_bytes())
    content[len(content) // 4] ^= 1  # in a page of values, where Parquet itself would not detect it
    second.write_bytes(content)
    watch = Silent()
    job(data, tmp_path / "s.parquet", watch=watch)
    (line,) = [line for line in watch.lines if "damaged" in line]
    assert second.name in line
    assert line.startswith("2 parts"), "what lies behind the gap is not used either"
    assert watch.scored == 60 - 8
    assert pq.read_table(tmp_path / "s.parquet") == pq.read_table(tmp_path / "whole.parquet")
    assert first.name < second.name < third.name


@pytest.mark.parametrize(
    "change",
    [
        {"max_length": 100},
        {"limit": 50},
        {"larger": None},
        {"dtype": "bfloat16"},
        {"quantization": "8bit"},
        {"device_map": "auto"},
        {"target_adapter": "who/ever"},
        {"larger_adapter": "who/ever"},
    ],
)
def test_the_parts_of_another_command_are_not_used(
    tmp_path: Path, data: Path, change: dict[str, Any]
) -> None:
    out = tmp_path / "s.parquet"
    with pytest.raises(KeyboardInterrupt):
        job(data, out, lambda role, path, s: Stops(role, 30))
    with pytest.raises(BadInput, match="a different, unfinished command"):
        job(data, out, **change)
    job(data, out, overwrite=True, **change)
    assert len(read(out)) == change.get("limit", 60)


def test_a_retrained_adapter_is_another_adapter(tmp_path: Path, data: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    job(data, tmp_path / "s.parquet", target_adapter=str(adapter))
    (adapter / "adapter_config.json").write_text('{"r": 4}')
    with pytest.raises(BadInput, match=r"changed: --target-adapter\)"):
        job(data, tmp_path / "s.parquet", target_adapter=str(adapter))


def test_scores_of_two_commits_of_a_hub_id_are_not_mixed(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = HubCache(tmp_path / "hub", monkeypatch)
    files = tmp_path / "files"
    files.mkdir()
    hub.commit("org/model", files, "a" * 40)
    out, named = tmp_path / "s.parquet", {"target": "org/model"}
    saved = out.with_name("s.parquet.parts") / parts.MANIFEST
    with pytest.raises(KeyboardInterrupt):
        job(data, out, lambda role, path, s: Stops(role, 30), **named)
    known = saved.read_text()
    hub.commit("org/model", files, "b" * 40)
    with pytest.raises(BadInput, match=r"unfinished command \(changed: --target on the hub\)"):
        job(data, out, **named)
    # Without hub and cache, and as an earlier version wrote it: the commit is not known.
    shutil.rmtree(tmp_path / "hub")
    with pytest.raises(KeyboardInterrupt):
        job(data, out, lambda role, path, s: Stops(role, 8), **named)
    assert saved.read_text() == known
    hub.commit("org/model", files, "b" * 40)
    command = json.loads(known)
    del command["facts"]["commits"]
    saved.write_text(json.dumps(command))
    watch = Silent()
    job(data, out, watch=watch, **named)
    assert watch.scored == 28
    hub.commit("org/model", files, "c" * 40)
    with pytest.raises(BadInput, match=r"different command \(changed: --target on the hub\)"):
        job(data, out, **named)


def test_a_finished_command_is_not_repeated_and_another_is_not_overwritten(
    tmp_path: Path, data: Path
) -> None:
    out = tmp_path / "s.parquet"
    first = job(data, out)
    before = out.read_bytes()

    def never(*args: Any) -> Any:
        raise AssertionError("nothing to load")

    assert job(data, out, never)["ifd_gap"] == first["ifd_gap"]
    with pytest.raises(BadInput, match=r"from a different command \(changed: --sort-by\)"):
        job(data, out, selection=Selection("ifd"))
    jsonl(data, [row(n) for n in range(1, 61)])
    with pytest.raises(BadInput, match=r"changed: .*DATA"):
        job(data, out)
    assert out.read_bytes() == before
    job(data, out, overwrite=True)
    assert read(out)[0]["instruction"] == "Say 1."


def test_somebody_elses_file_is_left_alone(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "s.jsonl"
    out.write_text("precious")
    with pytest.raises(BadInput, match="already exists"):
        job(data, out)
    assert out.read_text() == "precious"


def test_a_stopped_overwrite_resumes_without_the_option(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "s.jsonl"
    out.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        job(data, out, lambda role, path, s: Stops(role, 30), overwrite=True)
    assert out.read_text() == "old"
    watch = Silent()
    job(data, out, watch=watch)
    assert watch.scored == 36
    assert len(read(out)) == 60


def test_two_commands_do_not_write_the_same_output(tmp_path: Path, data: Path) -> None:
    def second(role: str, path: str, s: ScoreSettings) -> FakeIfdModel:
        return FakeIfdModel(role)

    class Meanwhile(FakeIfdModel):
        def score(self, rows: Sequence[ScoreRow]) -> list[Score]:
            with pytest.raises(RunFailed, match="being written by another"):
                job(data, tmp_path / "s.jsonl", second)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job(data, tmp_path / "s.jsonl", lambda role, path, s: Meanwhile(role))


def test_a_second_command_with_the_same_cache_runs_nothing(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(**sizes, vocab_size=258)).save_pretrained(tmp_path / "model")
    save_tokenizer(tmp_path / "model")
    options = {"target": str(tmp_path / "model"), "larger": None, "cache": tmp_path / "losses", "limit": 20}
    job(data, tmp_path / "s.jsonl", load, **options)

    def load_and_forbid(*arguments: Any) -> Any:
        model = load(*arguments)
        # Every forward pass goes through a linear layer.
        monkeypatch.setattr(torch.nn.Linear, "forward", None)
        return model

    job(data, tmp_path / "again.jsonl", load_and_forbid, **options)
    assert read(tmp_path / "s.jsonl") == read(tmp_path / "again.jsonl")
    assert read(tmp_path / "s.jsonl")[0]["target_ifd"]


def test_reasoning_is_counted_and_its_use_ties_the_scores(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, out = Silent(), tmp_path / "s.parquet"
    summary = job(data, out, watch=watch)
    assert not [line for line in watch.lines if "reasoning" in line]
    assert not any("reasoning" in name for name in summary["command"]), "as in earlier versions"
    with pytest.raises(BadInput, match=r"changed: --reasoning\)"):
        job(data, out, reasoning=ScoredReasoning.both)

    read_plainly = RowReader.read

    def thinking(self: RowReader, value: Any) -> Any:
        format_, (*before, last) = read_plainly(self, value)
        return format_, (*before, replace(last, reasoning_content="Because."))

    monkeypatch.setattr(RowReader, "read", thinking)
    job(data, tmp_path / "t.parquet", watch=watch, overrides=("scoring.reasoning=context",))
    assert "60 answers have reasoning, after which they are scored (--reasoning context)" in watch.lines


def test_scores_of_joined_inputs_are_another_commands(tmp_path: Path, data: Path) -> None:
    """Earlier versions joined instruction and input by an empty line before scoring."""
    with_input = jsonl(tmp_path / "inputs.jsonl", [row(n, input="Twice.") for n in range(60)])
    for source in (data, with_input):
        with pytest.raises(KeyboardInterrupt):
            job(source, source.with_suffix(".parquet"), lambda role, path, s: Stops(role, 30))
        saved = source.with_suffix(".parquet.parts") / parts.MANIFEST
        command = json.loads(saved.read_text())
        command["facts"].pop("inputs", None)
        saved.write_text(json.dumps(command))
    watch = Silent()
    job(data, data.with_suffix(".parquet"), watch=watch)
    assert watch.scored == 36
    with pytest.raises(BadInput, match=r"changed: how rows with an input are scored\)"):
        job(with_input, with_input.with_suffix(".parquet"))
