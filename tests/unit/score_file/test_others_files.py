"""`score` on files that others write: what is said, and what readers of the output find."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from staragents.base.errors import BadInput
from staragents.score_file.local_scorers import LocalScorers
from staragents.score_file.score_job import ScoreJob
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.fake_ifd_model import FakeIfdModel
from tests.support.paths import ROOT
from tests.support.score_jobs import Silent

CASES = ROOT / "tests/unit/data/cases"


def scored(data: Path, output: Path, **more: Any) -> tuple[dict[str, Any], list[str]]:
    """The summary, and what was said. The scores are fake."""

    @contextmanager
    def scorers(paths: dict[str, str], settings: ScoreSettings) -> Iterator[LocalScorers]:
        yield LocalScorers({role: FakeIfdModel(role) for role in paths})

    watch = Silent()
    settings = ScoreSettings(data=str(data), target="fake", output=output, **more)
    return ScoreJob(settings, watch, scorers).run(), watch.lines


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_bytes_are_written_in_base64_and_it_is_said(tmp_path: Path, suffix: str) -> None:
    data = CASES / "d24_images.parquet"
    _, said = scored(data, tmp_path / f"out{suffix}")
    assert f"note: out{suffix} has the bytes of images in base64" in said
    images = [row["images"][0]["bytes"] for row in pq.read_table(data).to_pylist()]
    read = pytest.importorskip("datasets").load_dataset(
        "json", data_files=str(tmp_path / f"out{suffix}"), cache_dir=str(tmp_path / "cache")
    )["train"]
    assert [base64.b64decode(row["images"][0]["bytes"]) for row in read] == images


def test_parquet_keeps_bytes(tmp_path: Path) -> None:
    data = CASES / "d24_images.parquet"
    _, said = scored(data, tmp_path / "out.parquet")
    assert not any("base64" in line for line in said)
    before, after = (pq.read_table(path)["images"] for path in (data, tmp_path / "out.parquet"))
    assert after.to_pylist() == before.to_pylist()


def test_a_guessed_encoding_is_said_and_a_named_one_is_used(tmp_path: Path) -> None:
    data = CASES / "d16_cp1252.csv"
    _, said = scored(data, tmp_path / "guessed.jsonl")
    assert f"note: {data}: not UTF-8; read as cp1252, a guess (--encoding names another)" in said
    _, said = scored(data, tmp_path / "named.jsonl", encoding="cp1252")
    assert not any(line.startswith("note: ") for line in said)
    guessed, named = ((tmp_path / f"{name}.jsonl").read_text() for name in ("guessed", "named"))
    assert guessed == named
    assert "caf\u00e9" in json.loads(guessed.splitlines()[0])["instruction"]
    with pytest.raises(BadInput, match="--encoding: expected an encoding that Python knows"):
        scored(data, tmp_path / "c.jsonl", encoding="klingon")


def test_an_output_of_the_last_version_is_finished(tmp_path: Path) -> None:
    """Its command has no key for the encoding."""
    summary, _ = scored(CASES / "d04_excel.csv", tmp_path / "out.jsonl")
    assert "--encoding" not in summary["command"]
    _, said = scored(CASES / "d04_excel.csv", tmp_path / "out.jsonl")
    assert "out.jsonl is already finished" in said


def test_a_split_and_a_place_are_said(tmp_path: Path) -> None:
    summary, said = scored(CASES / "d07_splits.json", tmp_path / "a.jsonl")
    assert summary["rows"] == 4
    assert any("rows are read from the field train, not test" in line for line in said)
    summary, said = scored(CASES / "d02_saved_dict", tmp_path / "b.jsonl")
    assert summary["rows"] == 4
    assert any("reads train/data-00000-of-00001.arrow, not test/" in line for line in said)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_rows_that_stand_for_an_object_are_written_as_one(tmp_path: Path, suffix: str) -> None:
    turns = [{"role": "user", "content": "Ask."}, {"role": "assistant", "content": "Say."}]
    rows = [turns, json.dumps({"instruction": "Ask again.", "output": "Say again."}), 7]
    data, output = tmp_path / "rows.json", tmp_path / f"out{suffix}"
    data.write_text(json.dumps(rows), encoding="utf-8")
    scored(data, output)
    written = (
        pq.read_table(output).to_pylist()
        if suffix == ".parquet"
        else [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    )
    assert [row.get("messages") for row in written] == [turns, None]
    assert [row.get("instruction") for row in written] == [None, "Ask again."]
