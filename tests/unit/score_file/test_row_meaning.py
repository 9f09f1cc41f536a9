"""Rows whose answer is none to learn from are not scored, and never selected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from staragents.base.errors import BadInput
from staragents.config import ColumnsConfig
from staragents.score_file.local_scorers import LocalScorers
from staragents.score_file.score_job import ScoreJob
from staragents.score_file.selection import Selection
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.fake_ifd_model import FakeIfdModel

CASES = Path(__file__).parents[1] / "data" / "cases"


class Lines:
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def begin(self, rows: int, done: int) -> None: ...

    def advance(self, rows: int) -> None: ...


def score(data: Path, folder: Path, lines: Lines | None = None, **more: Any) -> list[dict[str, Any]]:
    output = folder / "scored.jsonl"

    @contextmanager
    def scorers(paths: dict[str, str], settings: ScoreSettings) -> Iterator[LocalScorers]:
        yield LocalScorers({role: FakeIfdModel(role) for role in paths})

    ScoreJob(ScoreSettings(str(data), "fake", output, **more), lines or Lines(), scorers).run()
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", ["d10_kto_trl", "d10_kto_factory", "d10_kto_swift"])
def test_top_never_selects_an_answer_that_its_label_rejects(tmp_path: Path, name: str) -> None:
    lines = Lines()
    rows = score(CASES / f"{name}.jsonl", tmp_path, lines, selection=Selection(top="100%"))
    assert rows
    assert all(row.get("label", row.get("kto_tag")) is True for row in rows)
    assert lines.said[0].startswith("3 bad rows are omitted")
    assert "expected a wanted answer, got False" in lines.said[1]
    assert lines.said[1].endswith("to take all rows, set --columns label=... to nothing (3 rows like this)")


def test_an_empty_name_of_the_label_scores_all_rows(tmp_path: Path) -> None:
    rows = score(CASES / "d10_kto_trl.jsonl", tmp_path, columns=ColumnsConfig(label=""))
    assert len(rows) == 6


def test_messages_one_a_row_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        score(CASES / "d08_long.csv", tmp_path)
    first, last = caught.value.problems
    assert first.endswith("join the rows of a conversation to a list of messages (12 rows like this)")
    assert "expected at least one row to score" in last


def test_an_output_of_the_last_version_is_still_finished(tmp_path: Path) -> None:
    data = CASES / "d12_hh.jsonl"
    score(data, tmp_path)
    summary = json.loads((tmp_path / "scored.jsonl.summary.json").read_text())
    columns = summary["command"]["--columns"]
    assert set(columns) == {"instruction", "input", "response", "messages", "history", "system"}
    lines = Lines()
    score(data, tmp_path, lines)
    assert lines.said == ["scored.jsonl is already finished"]
