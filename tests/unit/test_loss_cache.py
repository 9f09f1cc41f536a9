"""Losses are computed once per content, and remembered within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.errors import BadInput
from staragents.messages import Message
from staragents.scoring.cached_model import CachedModel
from staragents.scoring.fake_ifd_model import FakeIfdModel
from staragents.scoring.ifd import Score, ScoreRow, Status
from staragents.scoring.loss_cache import LossCache


class CountingModel(FakeIfdModel):
    def __init__(self, role: str = "target") -> None:
        super().__init__(role)
        self.seen: list[ScoreRow] = []

    def score(self, rows: Sequence[ScoreRow]) -> list[Score]:
        self.seen += rows
        return super().score(rows)


def row(prompt: str, answer: str) -> ScoreRow:
    return ScoreRow((Message("user", prompt), Message("assistant", answer)))


ROWS = st.builds(
    row,
    st.sampled_from(["", "a", "\u4e2d\u6587", "q\x1f"]) | st.text(),
    st.sampled_from(["", "b"]) | st.text(),
)


@given(st.lists(ROWS, max_size=12), st.data())
def test_values_are_the_same_whatever_order_and_duplicates(rows: list[ScoreRow], data: st.DataObject) -> None:
    model = CountingModel()
    cached = CachedModel(model, LossCache(1000), "settings")
    plain = FakeIfdModel("target").score(rows)
    assert cached.score(rows) == plain
    order = data.draw(st.permutations(range(len(rows))))
    assert cached.score([rows[i] for i in order]) == [plain[i] for i in order]
    assert len(model.seen) == len(set(rows))
    assert cached.reused == 2 * len(rows) - len(set(rows))


def test_other_settings_share_nothing() -> None:
    cache = LossCache(10)
    first, second = CountingModel(), CountingModel()
    CachedModel(first, cache, "plain").score([row("a", "b")])
    CachedModel(second, cache, "chat").score([row("a", "b")])
    assert len(second.seen) == 1


def test_who_said_what_is_part_of_the_content() -> None:
    model = CountingModel()
    one = ScoreRow(
        (Message("user", "a"), Message("assistant", "b"), Message("user", "c"), Message("assistant", "d"))
    )
    other = ScoreRow(
        (Message("system", "a"), Message("user", "b"), Message("user", "c"), Message("assistant", "d"))
    )
    CachedModel(model, LossCache(10), "").score([one, other])
    assert len(model.seen) == 2


def test_a_broken_forward_pass_is_not_remembered() -> None:
    class Broken(CountingModel):
        def score(self, rows: Sequence[ScoreRow]) -> list[Score]:
            self.seen += rows
            return [Score(None, None, 1, 1, 1, Status.nonfinite) for _ in rows]

    model = Broken()
    cached = CachedModel(model, LossCache(10), "")
    cached.score([row("a", "b")])
    cached.score([row("a", "b")])
    assert len(model.seen) == 2


def score(value: float) -> Score:
    return Score(value, value, 1, 1, 1, Status.ok)


def test_the_least_used_leave_first() -> None:
    cache = LossCache(32)
    for number in range(200):
        cache.put({bytes([number]): score(number)})
        assert cache.get([b"\x00"]) == {b"\x00": score(0)}
    held = cache.get(bytes([n]) for n in range(200))
    assert len(held) <= 34
    assert {bytes([n]) for n in range(180, 200)} <= held.keys()


def test_a_file_remembers_and_more_keys_than_sqlite_takes_at_once_are_found(tmp_path: Path) -> None:
    path = tmp_path / "losses.sqlite"
    many = {n.to_bytes(4): score(n / 7) for n in range(3000)}
    cache = LossCache(10_000, path)
    cache.put(many)
    cache.close()
    assert LossCache(10_000, path).get([*many, b"new"]) == many


def test_two_processes_may_share_a_file(tmp_path: Path) -> None:
    one, two = LossCache(10, tmp_path / "c"), LossCache(10, tmp_path / "c")
    one.put({b"a": score(1)})
    two.put({b"b": score(2)})
    assert one.get([b"b"]) == {b"b": score(2)}


def test_a_file_that_is_no_cache_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("precious " * 500)
    with pytest.raises(BadInput, match="--cache: can't use"):
        LossCache(10, path)
    assert path.read_text().startswith("precious")
