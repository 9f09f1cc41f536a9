"""docs/output.md names every column, reject reason and number of a run directory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pytest

from staragents.agents.rejects import REASONS
from staragents.analysis.summary import RunTally
from staragents.base.candidate_schema import CANDIDATE_SCHEMA, CONVERSATION_TYPE
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.run.dataset import DATASET_SCHEMA, FILTERED_SCHEMA
from staragents.run.quarantine import QUARANTINE_SCHEMA
from staragents.run_directory.manifest import EXTRA, MANIFEST, RESULTS, STATE
from tests.support.paths import ROOT

PAGE = (ROOT / "docs/output.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def named_columns(text: str) -> dict[str, str]:
    """The type of every column in tables whose second column is a type."""
    rows = re.findall(r"^\| (`[^|]*`) \| ([a-z]\w*) \|", text, re.MULTILINE)
    return {name: kind for names, kind in rows for name in re.findall(r"`(\w+)`", names)}


def kind_of(field: pa.Field) -> str:
    if field.type == CONVERSATION_TYPE:
        return "conversation"
    return str(field.type).partition("<")[0]


@pytest.mark.parametrize(
    ("heading", "schema"),
    [("The dataset", DATASET_SCHEMA), ("Candidates", CANDIDATE_SCHEMA), ("Quarantine", QUARANTINE_SCHEMA)],
)
def test_every_column_is_on_the_page_with_its_type(heading: str, schema: pa.Schema) -> None:
    assert named_columns(section(heading)) == {field.name: kind_of(field) for field in schema}


def test_the_columns_that_only_dropped_rows_have_are_on_the_page() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| `filtered.parquet`"))
    assert all(f"`{name}`" in row for name in set(FILTERED_SCHEMA.names) - set(DATASET_SCHEMA.names))


def test_every_reject_reason_is_on_the_page() -> None:
    assert re.findall(r"^\| `(\w+)` \|", section("Reject reasons"), re.MULTILINE) == list(REASONS)


def test_every_file_is_on_the_page() -> None:
    assert all(f"`{name}`" in PAGE for name in (*RESULTS, *EXTRA, STATE, MANIFEST))


def keys(tree: Mapping[str, Any]) -> Iterator[str]:
    """Every name in the summary, below pairs and stages excepted."""
    for name, value in tree.items():
        yield name
        if isinstance(value, Mapping) and name not in ("pairs", "stages", "run"):
            yield from keys(value)


def test_every_number_of_the_summary_is_on_the_page() -> None:
    tally = RunTally(Config())
    tally.add_seed([Candidate("s", "c", "keep+direct", "keep", "direct", 1.0, ())])
    tally.judge.unreadable = 1
    summary = tally.summary({"held_out": 1})
    wanted = {*keys(summary), *keys(summary["pairs"]["keep+direct"])}
    assert {name for name in wanted if f"`{name}`" not in section("The summary")} == set()
