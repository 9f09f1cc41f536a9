"""A cache of the hub with models of our own, and no hub."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants


class HubCache:
    """The folder that all libraries read hub ids from during a test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def commit(self, model: str, files: Path, commit: str) -> None:
        """Let the default branch of `model` have these files from now on."""
        repository = self._folder / f"models--{model.replace('/', '--')}"
        shutil.copytree(files, repository / "snapshots" / commit)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(commit)
