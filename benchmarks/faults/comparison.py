"""Differences between a run and the undisturbed run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from staragents.run_directory.run_directory import RunDirectory

TIMING = {"seconds", "stage_seconds"}


def damage(path: Path, undisturbed: Path) -> dict[str, int]:
    """Count the differences between two runs of one config; all 0 if there are none.

    `lost`: seeds. `twice`: candidates committed again. `changed`: candidates that differ, except in
    durations. `dataset`: 1 if it differs.
    """
    rows, expected = _rows(path), _rows(undisturbed)
    seeds = {row["seed_id"] for row in rows}
    found = {row["candidate_id"]: row for row in rows}
    counted = Counter(row["candidate_id"] for row in rows)
    return {
        "lost": len({row["seed_id"] for row in expected} - seeds),
        "twice": sum(number - 1 for number in counted.values()),
        "changed": sum(found.get(row["candidate_id"]) != row for row in expected)
        + len(found.keys() - {row["candidate_id"] for row in expected}),
        "dataset": int(_dataset(path) != _dataset(undisturbed)),
    }


def _rows(path: Path) -> list[dict[str, Any]]:
    return [
        {name: getattr(candidate, name) for name in candidate.__slots__ if name not in TIMING}
        for seed in RunDirectory(path).seeds()
        for candidate in seed
    ]


def _dataset(path: Path) -> bytes | None:
    file = path / "dataset.jsonl"
    return file.read_bytes() if file.exists() else None
