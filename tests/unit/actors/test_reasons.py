"""The reason that a user sees when an actor or replica did not start."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError, RayTaskError
from ray.serve.schema import ApplicationStatus

from actors.reasons import reason_of
from cluster.pools import generators
from staragents.base.errors import BadInput, RunFailed
from tests.support.tracebacks import traced


def test_a_dead_actor_is_named_by_its_reason_and_not_by_its_ids() -> None:
    said = "The actor died unexpectedly.\n\tclass_name: Scorer\n\tactor_id: 5e\nThe process was killed."
    shown = reason_of(ActorUnavailableError(said, None))
    assert "The actor died unexpectedly. The process was killed." in shown
    assert reason_of(TimeoutError()) == "TimeoutError"


def test_a_reason_has_no_secret() -> None:
    assert (
        reason_of(OSError("no answer from http://me:password@host/v1")) == "no answer from http://***@host/v1"
    )


def test_our_own_error_needs_no_traceback() -> None:
    error = RayTaskError("start", traced(BadInput("no model")), BadInput("no model"))
    assert reason_of(error) == "no model"
    assert reason_of(RayTaskError("start", traced(OSError("gone")), OSError("gone"))) == "OSError: gone"


def status(state: ApplicationStatus, message: str = "") -> Any:
    return SimpleNamespace(status=state, message="", deployments={"x": SimpleNamespace(message=message)})


def test_a_pool_that_failed_does_not_wait_for_one_that_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    applications = {
        "app-slow": status(ApplicationStatus.DEPLOYING),
        "app-bad": status(ApplicationStatus.DEPLOY_FAILED, traced(ImportError("no module x"))),
    }
    monkeypatch.setattr(generators.serve, "status", lambda: SimpleNamespace(applications=applications))
    with pytest.raises(RunFailed, match=r"did not start: models\.bad: ImportError: no module x"):
        generators._await_running({"slow": "app-slow", "bad": "app-bad"}, lambda: None)


def test_an_actor_that_failed_does_not_wait_for_a_pool_that_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    def failed() -> None:
        raise RunFailed("an actor did not start: no model")

    with pytest.raises(RunFailed, match="an actor did not start"):
        generators._await_running({"slow": "app-slow"}, failed)
