"""The commit behind a hub id."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.models.hub_commit import hub_commit
from tests.support.hub_cache import HubCache

OLD, NEW = "a" * 40, "b" * 40


def test_a_hub_id_has_the_commit_of_its_branch_and_a_folder_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = HubCache(tmp_path / "hub", monkeypatch)
    files = tmp_path / "files"
    files.mkdir()
    (files / "adapter_config.json").write_text("{}")  # an adapter has no config.json
    for commit in (OLD, NEW):
        hub.commit("org/model", files, commit)
        assert hub_commit("org/model") == commit
    assert hub_commit("org/model", OLD) == OLD
    assert hub_commit(str(files)) is None


@pytest.mark.parametrize("model", ["org/unknown", "not a hub id", ""])
def test_a_model_that_neither_hub_nor_cache_has_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    HubCache(tmp_path, monkeypatch)
    assert hub_commit(model) is None
