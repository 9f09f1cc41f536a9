"""Lists in cells: read as literals, never run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.data.readers.cell_values import parsed_list

TURN = {"role": "user", "content": 'It\'s a "test"\n{[', "tool_calls": None}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("spell", [json.dumps, repr, lambda rows: f"[{rows[0]!r}\n {rows[1]!r}]"])
def test_a_list_of_objects_is_read_as_json_python_or_numpy(spell: Any) -> None:
    assert parsed_list(spell([TURN, TURN])) == [TURN, TURN]


@given(st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=3), min_size=1, max_size=3))
def test_any_list_of_objects_comes_back(rows: list[dict[str, Any]]) -> None:
    assert parsed_list(repr(rows)) == rows
    assert parsed_list(json.dumps(rows)) == rows


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[1, 2]",
        "[{}, 1]",
        "Hello",
        "[not a list]",
        '{"a": 1}',
        "['a' 'b']",
        "[{'a': 1}, ...]",
        "[{'a': b'x'}]",
        "[f'{1}']",
        "[" * 5000,
        "[{" * 3000,
        "[" + "-" * 100_000 + "1]",
        "[" + "1+" * 100_000 + "1]",
        "[{'a': '" + "\\" * 999,
        "[{[]: 1}]",
    ],
)
def test_any_other_text_stays_text(text: str) -> None:
    assert parsed_list(text) is None


def test_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    for text in (
        f"[{{'a': open({str(mark)!r}, 'w')}}]",
        f"[{{'a': __import__('pathlib').Path({str(mark)!r}).touch()}}]",
        "[{'a': (lambda: 1)()}]",
        "[x for x in ({},)]",
    ):
        assert parsed_list(text) is None
    assert not mark.exists()


@given(st.text(alphabet="[]{}'\":, \\\n0aTrueNone-", max_size=60))
def test_any_text_is_a_list_of_one_kind_or_none(text: str) -> None:
    found = parsed_list(f"[{text}")
    if found is not None:
        (kind,) = {type(one) for one in found}
        assert kind in (dict, str, list)
