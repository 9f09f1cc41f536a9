"""The plan of benchmarks/chaos.py, and its progress over several sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults.outcome import outcome, table
from benchmarks.faults.plan import ACTORS, ALIKE_AT_ONCE, EPISODES, KILLS, WEIGHTS, Kill, planned, shares
from benchmarks.faults.progress import Progress

KINDS = list(WEIGHTS)


def _progress(folder: Path, kills: int = 6) -> Progress:
    return Progress(folder, {"seed": 0}, planned(kills, 0, 1.0, 5, KINDS))


def _do(progress: Progress, recovery_s: float | None) -> None:
    kill = progress.todo.pop(0)
    kill.who, kill.recovery_s = "process 1", recovery_s
    progress.done.append(kill)


def test_the_same_seed_gives_the_same_plan() -> None:
    assert planned(100, 3, 0.5, 5, KINDS) == planned(100, 3, 0.5, 5, KINDS)
    assert planned(100, 3, 0.5, 5, KINDS) != planned(100, 4, 0.5, 5, KINDS)


def test_every_kind_occurs_if_there_are_enough_kills() -> None:
    assert set(shares(len(KINDS), KINDS).elements()) == set(KINDS)
    assert set(shares(7, KINDS).elements()) == set(KILLS)


@pytest.mark.parametrize("kills", [1, 7, 18, 200, 1000])
def test_a_plan_has_the_requested_number_of_kills(kills: int) -> None:
    assert len(planned(kills, 0, 0.5, 5, KINDS)) == kills


def test_raylets_and_drivers_are_a_twentieth_each_of_a_thousand_kills() -> None:
    counts = shares(1000, KINDS)
    assert min(counts[kind] for kind in KILLS) >= 50
    assert min(counts[kind] for kind in EPISODES) >= 4


def test_a_salvo_is_of_actors_and_no_larger_than_may_be_open() -> None:
    salvos: list[list[str]] = []
    for kill in planned(1000, 0, 0.5, 3, KINDS):
        if kill.salvo:
            salvos[-1].append(kill.kind)
        else:
            salvos.append([kill.kind])
    together = [salvo for salvo in salvos if len(salvo) > 1]
    assert together
    for salvo in together:
        assert len(salvo) <= 3
        assert set(salvo) <= set(ACTORS)
        assert max(salvo.count(kind) for kind in salvo) <= ALIKE_AT_ONCE


def test_progress_resumes_where_it_was_saved(tmp_path: Path) -> None:
    progress = _progress(tmp_path)
    _do(progress, 2.5)
    progress.runs.append({"lost": 0})
    progress.seconds = 60.0
    progress.save()

    found = Progress.load(tmp_path)
    assert found is not None
    assert [kill.kind for kill in found.todo] == [kill.kind for kill in progress.todo]
    assert (found.done, found.runs) == (progress.done, progress.runs)
    assert found.elapsed_s >= 60.0


def test_a_kill_without_recovery_before_the_benchmark_died_is_repeated(tmp_path: Path) -> None:
    progress = _progress(tmp_path)
    _do(progress, 2.5)
    _do(progress, None)
    progress.save()

    found = Progress.load(tmp_path)
    assert found is not None
    assert len(found.done) == 1
    again = progress.done[1]
    assert found.todo[0] == Kill(again.kind, again.pause_s, salvo=False)
    assert [kill.kind for kill in found.todo[1:]] == [kill.kind for kill in progress.todo]


def test_the_rest_of_a_salvo_joins_no_other_kill(tmp_path: Path) -> None:
    progress = Progress(tmp_path, {}, [Kill("scorer", 1.0, salvo=False), Kill("scorer", 1.0, salvo=True)])
    _do(progress, None)
    progress.save()

    found = Progress.load(tmp_path)
    assert found is not None
    assert not any(kill.salvo for kill in found.todo)


def test_a_folder_without_progress_has_none(tmp_path: Path) -> None:
    assert Progress.load(tmp_path) is None


def test_an_outcome_is_good_only_if_all_kills_recovered_without_changes(tmp_path: Path) -> None:
    progress = _progress(tmp_path, kills=2)
    _do(progress, 1.0)
    assert not outcome(progress)["ok"]
    _do(progress, None)
    assert not outcome(progress)["ok"]
    progress.done[1].recovery_s = 3.0
    assert outcome(progress)["ok"]
    progress.runs.append({"lost": 1, "twice": 0, "changed": 0, "dataset": 0})
    assert not outcome(progress)["ok"]


def test_the_table_names_what_was_skipped_and_why(tmp_path: Path) -> None:
    progress = _progress(tmp_path, kills=1)
    progress.skipped["disk-full"] = "mount: permission denied"
    _do(progress, 1.0)
    progress.runs.append({"lost": 0, "twice": 0, "changed": 0, "dataset": 0})
    assert "skipped: disk-full: mount: permission denied" in table(outcome(progress))
