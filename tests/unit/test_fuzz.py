"""A short fuzz of everything that reads untrusted input; `benchmarks/fuzz.py` is the long one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.fuzz_targets import TARGETS

LONGEST = timedelta(seconds=10)
"""On a busy machine; nothing should take a tenth of it."""


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_raises_or_hangs(name: str) -> None:
    check, strategies = TARGETS[name]
    run = given(st.tuples(*strategies))(lambda values: check(*values))
    settings(max_examples=150, deadline=LONGEST, suppress_health_check=list(HealthCheck))(run)()
