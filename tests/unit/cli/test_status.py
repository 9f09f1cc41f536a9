"""What `status` says when the coordinator does not answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.exceptions import ActorDiedError, GetTimeoutError

from cluster.cli.status import follow
from staragents.base.errors import RunFailed

COORDINATOR = SimpleNamespace(status=SimpleNamespace(remote=lambda: None))


def answers(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
    left = list(errors)

    def get(asked: Any, timeout: float) -> Any:
        raise left.pop(0)

    monkeypatch.setattr(ray, "get", get)


@pytest.mark.parametrize(
    ("error", "said"),
    [(GetTimeoutError(), "has not answered for 30 s"), (ActorDiedError(), "has just ended")],
)
def test_a_single_status_fails_in_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    answers(monkeypatch, error)
    with pytest.raises(RunFailed, match=said):
        follow(COORDINATOR, None, as_json=False)


def test_a_watcher_waits_for_a_busy_coordinator_and_ends_with_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, GetTimeoutError(), GetTimeoutError(), ActorDiedError())
    follow(COORDINATOR, 0.1, as_json=True)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("has not answered for 30 s") == 2
