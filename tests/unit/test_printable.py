"""Text for a terminal: shown as it is, and unable to do anything there."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from staragents.printable import printable


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = printable(text)
    assert all(unicodedata.category(one) not in ("Cc", "Cs") or one in "\t\n" for one in shown)
    assert len(shown) == len(text)
    assert printable(shown) == shown


def test_ordinary_text_stays_and_an_escape_is_shown() -> None:
    assert printable("Ünïcode 漢字 🙂\n\ttab") == "Ünïcode 漢字 🙂\n\ttab"
    assert printable("\x1b[2J\x07\r\x9b") == "␛[2J␇␍\ufffd"
