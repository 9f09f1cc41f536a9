"""Notes of students, with a fake store in place of Ray's."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cluster.driver import student_notes
from cluster.driver.student_notes import StudentNotes


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """All notes of a cluster on which the drivers 01 and 04 have ended. This one is 03."""
    kept: set[str] = set()

    def removed(prefix: str) -> None:
        kept.difference_update([name for name in kept if name.startswith(prefix)])

    context = SimpleNamespace(get_job_id=lambda: "03")
    monkeypatch.setattr(student_notes, "ray", SimpleNamespace(get_runtime_context=lambda: context))
    monkeypatch.setattr(
        student_notes, "notes", lambda prefix: {name for name in kept if name.startswith(prefix)}
    )
    monkeypatch.setattr(student_notes, "remove_notes", removed)
    monkeypatch.setattr(student_notes, "is_over", lambda job: job in ("01", "04"))
    return kept


def test_notes_of_killed_drivers_go_when_the_next_one_begins(store: set[str]) -> None:
    store.update(("students/01/a/1", "students/01/a/2", "students/02/b/1", "students/04/c/1", "other/01"))
    StudentNotes()
    assert store == {"students/02/b/1", "other/01"}


def test_a_command_sees_and_removes_its_own_notes_only(store: set[str]) -> None:
    one, other = StudentNotes(), StudentNotes()
    mine, others = one.new(), other.new()
    store.update((mine, others))
    assert one.left() == {mine}
    one.remove()
    assert store == {others}
