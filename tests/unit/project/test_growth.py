"""The check of linear time that other tests use finds quadratic work."""

from __future__ import annotations

import pytest

from tests.support.growth import assert_linear


def test_linear_work_passes_and_quadratic_work_fails() -> None:
    assert_linear(lambda size: sum(range(size)), 100_000)
    assert_linear(lambda size: None, 1)
    with pytest.raises(AssertionError, match="4 times the size took"):
        assert_linear(lambda size: [sum(range(size)) for _ in range(size)], 600)
