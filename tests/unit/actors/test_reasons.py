"""The reason that a user sees when an actor or replica did not start."""

from __future__ import annotations

import traceback
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError, RayTaskError
from ray.serve.schema import ApplicationStatus

from actors.reasons import LONGEST_REASON, last_error, reason_of
from cluster.pools import generators
from staragents.base.errors import BadInput, EngineDead, RunFailed


def traced(error: Exception) -> str:
    """A traceback as in Ray and Serve, with colours and their own text around it."""
    try:
        try:
            raise KeyError("an earlier one")
        except KeyError as earlier:
            raise error from earlier
    except Exception:
        return (
            "The deployment failed to start 1 times in a row. See controller logs for details. Error:\n"
            "\x1b[36mray::ServeReplica:x.initialize_and_get_metadata()\x1b[39m (pid=1, ip=127.0.0.1)\n"
            + traceback.format_exc()
        )


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ImportError("Using SOCKS proxy, but 'socksio' is missing."), "ImportError: Using SOCKS proxy, but"),
        (FileNotFoundError(2, "No such file or directory"), "FileNotFoundError: [Errno 2] No such file or"),
        (
            OSError("x is no folder\n  File a ticket\n\nor pass a token"),
            "OSError: x is no folder File a ticket or",
        ),
        (EngineDead("vLLM could not start x: no memory"), "vLLM could not start x: no memory"),
        (BadInput(["expected a", "expected b"]), "expected a expected b"),
        (AssertionError(), "AssertionError"),
        (ValueError("x" * 9999), "ValueError: xxx"),
    ],
)
def test_the_last_exception_is_the_reason_whatever_its_type(error: Exception, line: str) -> None:
    found = last_error(traced(error))
    assert found.startswith(line)
    assert "\n" not in found
    assert len(found) <= LONGEST_REASON + 3


def test_a_text_without_a_traceback_is_the_reason_itself() -> None:
    assert last_error("The runtime_env\n  could not be set up") == "The runtime_env could not be set up"
    assert last_error("") == ""


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
