"""A short fuzz of everything that reads untrusted input; `benchmarks/fuzz.py` is the long one."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fuzz_targets import TARGETS

LONGEST_S = 10.0
"""CPU time, because the machine may be busy."""


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_raises_or_hangs(name: str) -> None:
    check, strategies = TARGETS[name]

    def timed(values: Any) -> None:
        start = time.process_time()
        check(*values)
        assert time.process_time() - start < LONGEST_S

    run = given(st.tuples(*strategies))(timed)
    settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))(run)()
