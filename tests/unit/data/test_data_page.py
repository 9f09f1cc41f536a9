"""Every example of docs/data.md is read as the page says."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from staragents.config import ColumnsConfig, RowFormat
from staragents.data.readers.answers import REASONINGS
from staragents.data.readers.labels import LABELS, UNWANTED, WANTED
from staragents.data.readers.pair_names import ARTICLES, HISTORIES, INPUTS, SYSTEMS
from staragents.data.readers.raw_row import InvalidRow
from staragents.data.readers.row_messages import RowReader
from tests.support.paths import ROOT

PAGE = (ROOT / "docs/data.md").read_text(encoding="utf-8")
# Those of whole files have dots.
EXAMPLES = [
    cells
    for cells in re.findall(r"^\| `([{\[].*[}\]])` \| (.+) \|$", PAGE, re.MULTILINE)
    if "..." not in cells[0]
]


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) > 40


@pytest.mark.parametrize(("row", "meaning"), EXAMPLES, ids=[row[:60] for row, _ in EXAMPLES])
def test_an_example_becomes_what_the_page_says(row: str, meaning: str) -> None:
    reader = RowReader(rewritable=True)
    said = re.findall(r"`([^`]+)`", meaning)
    if meaning.startswith("left out"):
        with pytest.raises(InvalidRow) as caught:
            reader.read(json.loads(row))
        assert str(caught.value).startswith(said[0])
        return
    _, messages = reader.read(json.loads(row))
    found = [f"{turn.role}: {turn.content}" for turn in messages]
    found += [f"thought: {turn.reasoning_content}" for turn in messages if turn.reasoning_content]
    assert [line.replace("\n", r"\n") for line in found] == said


def test_the_page_names_every_format_column_and_label() -> None:
    columns = [field.name for field in fields(ColumnsConfig)]
    names = (*LABELS, *WANTED, *UNWANTED, *REASONINGS, *INPUTS, *ARTICLES, *HISTORIES, *SYSTEMS)
    for name in (*RowFormat, *columns, *names):
        assert f"`{name}`" in PAGE or name == RowFormat.auto, name
