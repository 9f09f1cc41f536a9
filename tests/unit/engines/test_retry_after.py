"""When a busy server accepts another request."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.retry_after import retry_after

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("nan", 0.0),
        ("1e999", float("inf")),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW + 90), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0.0),
        ("Mon, 99 Foo 99999 99:99:99 GMT", 0.0),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("soon", 0.0),
        ("", 0.0),
    ],
)
def test_seconds_and_dates_are_read_and_nonsense_is_no_wait(value: str, seconds: float) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_no_header_is_no_wait() -> None:
    assert retry_after({}, NOW) == 0.0


@given(st.text(max_size=40))
def test_any_value_gives_a_wait_that_is_not_negative(value: str) -> None:
    assert retry_after({"retry-after": value}, NOW) >= 0.0
