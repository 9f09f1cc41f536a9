from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.config_files import VALID


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with one valid config and a prompt."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "valid.yaml").write_text(VALID)
    (tmp_path / "rewrite.j2").write_text("Rewrite: {{ instruction }}")
    return tmp_path
