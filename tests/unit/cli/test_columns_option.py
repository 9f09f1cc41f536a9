"""Names of columns on the command line."""

from __future__ import annotations

import pytest

from cluster.cli.columns_option import parse_columns
from cluster.cli.score import COLUMN_KEYS
from staragents.base.errors import BadInput
from staragents.config import ColumnsConfig


def test_only_columns_that_may_be_absent_have_an_empty_name() -> None:
    empty = ColumnsConfig(input="", history="", system="", reasoning="", label="")
    assert parse_columns("input=,history=,system=,reasoning=,label=", COLUMN_KEYS) == empty
    for text in ("response=", "conversation=c_id"):
        with pytest.raises(BadInput, match="--columns: expected KEY=COLUMN with a key of instruction, "):
            parse_columns(text, COLUMN_KEYS)
