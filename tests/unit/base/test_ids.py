"""Ids and random seeds of work: those of every earlier version, or resumed runs would repeat work."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from staragents.base.records import NAMESPACE, stable_id, stable_seed


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=3))
def test_ids_are_those_of_uuid5(parts: list[str]) -> None:
    expected = uuid.uuid5(NAMESPACE, "\x1f".join(parts))
    assert stable_id(*parts) == str(expected)
    assert stable_seed(*parts) == expected.int & 0x7FFFFFFF
