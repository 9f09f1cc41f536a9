"""Text to be shown: readable, and harmless where it is shown."""

# ruff: noqa: RUF001 (scripts with look-alikes of ASCII)
from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.text.printable import as_json, one_line, printable

ANY_TEXT = st.text(st.characters(exclude_categories=()))
# Emoji and some scripts need joiners, and Unicode's Cf is more than soft hyphens and the like.
OBEYED = {chr(code) for code in (0x61C, 0x200B, 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF, 0xE0041)}
OBEYED |= {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def is_harmless(text: str) -> bool:
    return all(unicodedata.category(one) not in ("Cc", "Cs") or one in "\t\n" for one in text) and not (
        set(text) & OBEYED
    )


@given(ANY_TEXT)
def test_no_terminal_control_is_left(text: str) -> None:
    shown = printable(text)
    assert is_harmless(shown)
    assert len(shown) == len(text)
    assert printable(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Ünïcode 漢字 🙂\n\ttab",
        "👩\u200d💻 ❤\ufe0f",
        "می\u200cخواهم",
        "שלום, عالم",
        "क्\u200dष",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x07\r\x9b", "␛[2J␇␍\ufffd"),
        ("\x1b]8;;http://example.org\x07click\x1b]8;;\x07", "␛]8;;http://example.org␇click␛]8;;␇"),
        ("access\u202e\u2066 level", "access\ufffd\ufffd level"),
        ("pass\u200bword\u200d", "pass\ufffdword\ufffd"),
        ("a\u200d\u200db", "a\ufffd\ufffdb"),
        ("a\u2028b", "a\ufffdb"),
        ("hidden: \U000e0041\U000e0042", "hidden: \ufffd\ufffd"),
    ],
)
def test_control_and_hidden_characters_are_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(ANY_TEXT)
def test_one_line_is_one_line_for_every_line_splitter(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@given(st.recursive(ANY_TEXT | st.integers() | st.none(), lambda inner: st.dictionaries(ANY_TEXT, inner)))
def test_json_for_a_terminal_is_harmless_and_means_the_same(value: object) -> None:
    line = as_json(value)
    assert is_harmless(line)
    assert "\n" not in line
    assert json.loads(line) == json.loads(json.dumps(value))


def test_json_for_a_terminal_is_readable() -> None:
    assert as_json({"a": "Ünïcode 漢字 \x9b\u202e"}) == '{"a": "Ünïcode 漢字 \\u009b\\u202e"}'
