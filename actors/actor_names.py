"""Names by which another process finds a run's actors, without importing what they run."""

from __future__ import annotations


def coordinator_name(run_name: str) -> str:
    return f"staragents-{run_name}"
