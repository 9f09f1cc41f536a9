"""Which rows are duplicates, by their words and symbols or nearly."""

from __future__ import annotations

import pytest

from staragents.base.messages import Message
from staragents.config import FilterAction
from staragents.filters.duplicates import ExactDuplicates
from staragents.filters.row_filters import RowFilters
from tests.support.filtered_talks import only, talk

pytestmark = pytest.mark.slow


def test_duplicates_differ_in_case_and_punctuation_only() -> None:
    seen = ExactDuplicates()
    assert seen.find(talk("It moves heat.")) is None
    assert seen.find(talk("It moves heat.")) is None, "not kept yet"
    seen.keep()
    assert seen.find(talk("it moves  HEAT", "tell me something about pumps"))
    assert seen.find(talk("It moves water.")) is None
    assert seen.find((Message("system", "Be brief."), *talk("It moves heat."))) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("दिन का अर्थ क्या है?", "दान का अर्थ क्या है?"),
        ("दिन का अर्थ क्या है?", "दीन का अर्थ क्या है?"),
        ("वह जाता है", "वह जाती है"),
        ("What is 2 + 2?", "What is 2 * 2?"),
        ("What is 2 * 2?", "What is 2 / 2?"),
        ("What is 2*2?", "What is 2**2?"),
        ("What is the absolute value of -5?", "What is the absolute value of 5?"),
        ("What is -5 and 6?", "What is 5 and -6?"),
        ("What is 9 - 4?", "What is 9 4?"),
        ("What is 9 - (4)?", "What is 9 + (4)?"),
        ("It costs $5.", "It costs €5."),
        ("Is a < b?", "Is a > b?"),
        ("Is a != b?", "Is a = b?"),
        ("It fell by 5 %.", "It fell by 5."),
        ("What is C#?", "What is C?"),
        ("What is C++?", "What is C?"),
        ("Which are <5?", "Which are >5?"),
        ("Those (> 5)", "Those (< 5)"),
        ("x>=y", "x<=y"),
        ("Is y < |x|?", "Is y > |x|?"),
        ("Solve |x - 3| = 5", "Solve x - 3 = 5"),
        ("What is P(A|B)?", "What is P(A, B)?"),
        ("What is 6 | 3?", "What is 6, 3?"),
        ("a ~ b", "a b"),
        ("a == b", "a = b"),
        ("2+2", "2 2"),
        ("Is x \u2265 2?", "Is x \u2264 2?"),
    ],
)
def test_texts_that_differ_in_a_sign_are_no_duplicates(one: str, other: str) -> None:
    seen = ExactDuplicates()
    seen.find(talk("4", one))
    seen.keep()
    assert seen.find(talk("4", other)) is None
    assert seen.find(talk("4", one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Say **yes** or *no*, please.", "say yes or no -- please!"),
        ("- 5 apples\n- 3 pears", "* 5 apples\n* 3 pears"),
        ("From 2019-2020, at \u22125 degrees.", "from 2019\u20132020 at -5 degrees"),
        ("9 - 4", "9 \u2212 4"),
        ("COVID-19", "covid 19"),
        ("cafe\u0301", "caf\u00e9"),
        ("> quote\n>> in it", "quote in it"),
        ("He said\n> quote", "He said quote"),
        ("~~x~~ and ~~y~~, too", "x and y, too"),
        ("Title\n=====\nText", "# Title\nText"),
        ("Title\n===\nText", "Title\nText"),
        ("== Title ==", "Title"),
        ("+ one\n+ two", "- one\n- two"),
        ("~~~\nx = 5\n~~~", "```\nx = 5\n```"),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |", "a b\n1 2"),
        ("a | b\n--- | ---\n1 | 2", "a b\n1 2"),
        ("|a|b|\n|1|2|", "a b\n1 2"),
        ("x  =  5", "x = 5"),
        ("x = -5", "x = \u22125"),
        ("See <https://a.b/c>.", "See https://a.b/c."),
    ],
)
def test_the_same_text_in_another_typography_is_a_duplicate(one: str, other: str) -> None:
    seen = ExactDuplicates()
    seen.find(talk("4", one))
    seen.keep()
    assert seen.find(talk("4", other))


def test_texts_without_words_are_distinguished() -> None:
    seen = ExactDuplicates()
    seen.find(talk("+++"))
    seen.keep()
    assert seen.find(talk("---")) is None


def test_near_duplicates_by_minhash() -> None:
    pytest.importorskip("datasketch", reason="needs the package datasketch")
    filters = RowFilters(only(near_duplicates=FilterAction.drop))
    answer = (
        "A heat pump boils a refrigerant at low pressure outside, compresses it and condenses it inside. "
    )
    first = talk(answer * 2 + "It needs power for the compressor only.")
    other = talk(
        "Bread needs flour, water, salt and time; knead it well, let it rise and bake it hot until brown."
    )
    assert filters.look(first).dropped_by is None
    assert filters.look(other).dropped_by is None
    finding = filters.look(talk(answer * 2 + "It needs power for the compressor only, though."))
    assert finding.dropped_by == "near_duplicate"
    assert finding.detail
    assert finding.detail.startswith("an earlier row is 0.")
    assert filters.look(talk("Yes.", "Is it?")).dropped_by is None
    assert filters.look(talk("Yes.", "Is it?")).dropped_by is None, "too short to be alike"


def test_near_duplicates_are_measured_about_right() -> None:
    pytest.importorskip("datasketch", reason="needs the package datasketch")
    names = [f"word{number}" for number in range(400)]
    for shared, expected in ((360, True), (280, False)):
        filters = RowFilters(only(near_duplicates=FilterAction.drop))
        filters.look(talk(" ".join(names)))
        changed = names[:shared] + [f"other{number}" for number in range(400 - shared)]
        assert (filters.look(talk(" ".join(changed))).dropped_by is not None) == expected


def test_nothing_is_a_duplicate_of_a_dropped_row() -> None:
    filters = RowFilters(only(duplicates=FilterAction.drop, length=FilterAction.drop, max_words=3))
    assert filters.look(talk("It moves a lot of heat.")).dropped_by == "length"
    assert filters.look(talk("It moves heat.")).dropped_by is None
    assert filters.look(talk("It moves heat!")).dropped_by == "duplicate"
    assert (filters.filtered, filters.flagged) == ({"length": 1, "duplicate": 1}, {})
