"""Rates shown for a run are those of the last five minutes, as is its remaining time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actors.recent_rates import RecentRates
from cluster.terminal.watcher import eta, line
from staragents.validation.loading import load_config
from tests.support.local_run import drained_run, local_run, statuses_of
from tests.support.paths import FAKE


def test_the_first_minutes_are_measured_from_the_first_sample() -> None:
    rates = RecentRates()
    assert rates.observe(1000.0, {"tokens": 500}) == {"tokens": 0.0}
    assert rates.observe(1060.0, {"tokens": 1100}) == {"tokens": 10.0}


def test_a_rate_forgets_what_was_long_ago() -> None:
    rates, total = RecentRates(), 0.0
    for second in range(0, 3601):
        total += 100.0
        rates.observe(second, {"tokens": total})
    for second in range(3601, 3751):
        total += 10.0
        half = rates.observe(second, {"tokens": total})
    for second in range(3751, 3911):
        total += 10.0
        slow = rates.observe(second, {"tokens": total})
    assert half["tokens"] == pytest.approx(55.0, abs=2.0), "half of the window was fast"
    assert slow["tokens"] == pytest.approx(10.0)
    assert len(rates._samples) < 65


def test_a_total_that_appears_later_is_measured_from_its_first_sample() -> None:
    """A model added by `staragents change`, or a worker that did not answer before."""
    rates = RecentRates()
    rates.observe(0.0, {"writer": 0.0})
    assert rates.observe(10.0, {"writer": 50.0, "second": 2000.0}) == {"writer": 5.0, "second": 0.0}
    assert rates.observe(20.0, {"writer": 100.0, "second": 2020.0}) == {"writer": 5.0, "second": 2.0}


@pytest.mark.parametrize(
    ("seeds", "recent", "shown"),
    [(10, 0.5, "0:03:00"), (10, 0.0, "0:15:00"), (0, 0.0, "...")],
    ids=["recent", "none recently", "none"],
)
def test_the_remaining_time_follows_the_recent_rate(seeds: int, recent: float, shown: str) -> None:
    status = {"seeds": seeds, "total_seeds": 100, "seconds": 100.0, "seeds_per_s": recent}
    assert eta(status) == shown


async def test_a_resumed_run_shows_the_rates_of_this_session(tmp_path: Path) -> None:
    config = load_config(
        FAKE,
        [f"output.dir={tmp_path / 'run'}", "seeds.limit=40", "run.admitted_seeds=2", "run.checkpoint_s=0"],
    )
    await drained_run(config, 30)
    seen: list[dict[str, Any]] = []

    await local_run(config, lambda coordinator: asyncio.ensure_future(statuses_of(coordinator, seen)))
    status = seen[-1]
    assert status["seeds"] == 40
    assert status["seeds_per_s"] <= 10, "the 30 seeds before are not counted"
    assert status["tokens_per_s"].keys() == {"writer", "judge"}
    assert f"{sum(status['tokens_per_s'].values()):.0f} tok/s" in line(status)
