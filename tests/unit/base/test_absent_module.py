"""Optional libraries that another library should not import."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from staragents.base.absent_module import absent

MODULE = "this"  # of the standard library, imported by nobody


@pytest.fixture(autouse=True)
def not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, MODULE, raising=False)


def test_a_module_is_absent_within_and_there_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    with absent(MODULE):
        assert importlib.util.find_spec(MODULE) is None
        with pytest.raises(ImportError):
            importlib.import_module(MODULE)
    assert importlib.import_module(MODULE).__name__ == MODULE


def test_a_loaded_module_stays(capsys: pytest.CaptureFixture[str]) -> None:
    loaded = importlib.import_module(MODULE)
    with absent(MODULE):
        assert importlib.import_module(MODULE) is loaded


def test_a_failure_within_does_not_leave_it_absent() -> None:
    with pytest.raises(ZeroDivisionError), absent(MODULE):
        raise ZeroDivisionError
    assert MODULE not in sys.modules
