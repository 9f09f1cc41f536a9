from __future__ import annotations

from pathlib import Path

import pytest

from staragents.score_file import windows
from tests.support.score_jobs import jsonl, row


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "LARGEST_WINDOW", 8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return jsonl(tmp_path / "data.jsonl", [row(n) for n in range(60)])
