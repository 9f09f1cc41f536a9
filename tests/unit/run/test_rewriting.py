"""Results that a command rewrites: an error meanwhile leaves them complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from staragents.run.results import rewriting
from staragents.run_directory.run_directory import RunDirectory


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_while_results_are_rewritten_leaves_them_complete(
    run_writer: Callable[..., Path], error: type[BaseException]
) -> None:
    """A result written before the error counts; one that the run never had is not expected afterwards."""
    run = RunDirectory(run_writer(seeds=4))

    def fail() -> None:
        run.write("report.html", "a new report")
        raise error("stopped")

    with pytest.raises(error), run.claimed(), rewriting(run, "report.html", "README.md", "diagnosis.json"):
        fail()
    assert run.results()["funnel"]["finished"] == 4
    assert (run.path / "report.html").read_text() == "a new report"
