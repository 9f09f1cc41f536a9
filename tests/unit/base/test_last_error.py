"""The exception at the end of a text."""

from __future__ import annotations

import pytest

from staragents.base.errors import BadInput, EngineDead
from staragents.base.last_error import LONGEST_REASON, last_error
from tests.support.tracebacks import traced


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
