"""Installed weights are hashed once, and again when they change."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from staragents.models.checked_files import digest

CONTENT = b"weights"
EXPECTED = hashlib.sha256(CONTENT).hexdigest()
LATER_NS = 10**9


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STARAGENTS_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "weights"
    file.write_bytes(CONTENT)
    return file


def changed_in_place(file: Path, content: bytes) -> None:
    """The same size and modification time, so that only reading it shows the change."""
    before = file.stat().st_mtime_ns
    file.write_bytes(content)
    os.utime(file, ns=(before, before))


def test_unchanged_files_are_read_once(weights: Path) -> None:
    assert digest([weights], EXPECTED) == EXPECTED
    changed_in_place(weights, b"WEIGHTS")
    assert digest([weights], EXPECTED) == EXPECTED


def test_a_change_is_found_by_time_and_by_size(weights: Path) -> None:
    digest([weights], EXPECTED)
    changed_in_place(weights, b"other bytes")
    assert digest([weights], EXPECTED) == hashlib.sha256(b"other bytes").hexdigest()
    changed_in_place(weights, b"WEIGHTS")
    os.utime(weights, ns=(LATER_NS, LATER_NS))
    assert digest([weights], EXPECTED) == hashlib.sha256(b"WEIGHTS").hexdigest()


def test_a_wrong_checksum_is_not_remembered(weights: Path) -> None:
    weights.write_bytes(b"WEIGHTS")
    assert digest([weights], EXPECTED) != EXPECTED
    changed_in_place(weights, CONTENT)
    assert digest([weights], EXPECTED) == EXPECTED


def test_another_expectation_is_checked_anew(weights: Path) -> None:
    digest([weights], EXPECTED)
    assert digest([weights], "0" * 64) == EXPECTED


@pytest.mark.parametrize("cache", ["a file", "a folder in place of the entry"])
def test_a_cache_that_can_not_be_used_costs_only_time(tmp_path: Path, weights: Path, cache: str) -> None:
    if cache == "a file":
        (tmp_path / "cache").write_text("")
    else:
        digest([weights], EXPECTED)
        (entry,) = (tmp_path / "cache" / "checked").iterdir()
        entry.unlink()
        entry.mkdir()
    assert digest([weights], EXPECTED) == EXPECTED
    changed_in_place(weights, b"WEIGHTS")
    assert digest([weights], EXPECTED) != EXPECTED


def test_missing_files_are_reported(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest([weights, tmp_path / "gone"], EXPECTED)
