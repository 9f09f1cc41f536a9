"""Runs whose embedder fails: a local bank ends the run rather than change its draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from actors.fake_embedder import FakeEmbedder
from staragents.base.errors import RunFailed
from tests.support.local_run import decided, local_run, state
from tests.unit.actors.test_coordinator import config_for


class Failing:
    """Replaces `FakeEmbedder.embed`; the calls numbered `failing` have no memory left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: set[int]) -> None:
        self.calls = 0
        embed = FakeEmbedder.embed

        def replaced(embedder: FakeEmbedder, texts: Sequence[str]) -> np.ndarray:
            self.calls += 1
            if self.calls in failing:
                raise RuntimeError("no memory left")
            return embed(embedder, texts)

        monkeypatch.setattr(FakeEmbedder, "embed", replaced)


async def test_seeds_that_could_not_be_read_ahead_are_embedded_when_drawn(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Failing(monkeypatch, {1})
    summary = await local_run(config_for(tmp_path / "run"))
    assert embedder.calls > 40
    assert summary["run"]["memory"]["failures"] == 0
    assert decided(tmp_path / "run") == decided(finished_run)


async def test_a_run_that_its_embedder_ended_resumes_to_the_same_dataset(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(tmp_path / "run", "run.checkpoint_s=0.001")
    Failing(monkeypatch, {1, 20})
    with pytest.raises(RunFailed, match="the memory bank failed: no memory left; run the same command"):
        await local_run(config)
    assert 0 < state(tmp_path / "run")["cursor"] < 40
    await local_run(config)
    assert decided(tmp_path / "run") == decided(finished_run)
