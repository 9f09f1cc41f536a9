"""What the entries of a block list match."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.filters.block_list import BlockList
from tests.support.filtered_talks import talk
from tests.support.growth import assert_linear

pytestmark = pytest.mark.slow


def test_a_block_list_is_of_words_and_phrases(tmp_path: Path) -> None:
    path = tmp_path / "blocked.txt"
    path.write_text("# mine\nbadword\n very bad phrase \n  # more\n")
    blocked = BlockList(str(path))
    assert blocked(talk("A BadWord!")) == "a listed word in a turn of the assistant"
    assert blocked(talk("Fine.", "a very, bad phrase")) == "a listed phrase in a turn of the user"
    assert blocked(talk("badwords and a bad phrase")) is None
    with pytest.raises(BadInput, match=r"filters\.block_list"):
        BlockList(str(tmp_path / "none.txt"))


@pytest.mark.parametrize(
    ("entry", "said", "unsaid"),
    [
        ("a$$", ["You A$$!", "a$$", "an a$$-hat"], ["Name a fruit.", "a $$", "na$$", "a$$es"]),
        ("@$$", ["kick @$$.", "@$$"], ["$$", "Name a fruit.", "x@$$"]),
        ("C#", ["I like c#.", "(C#)"], ["C is old.", "c #", "C#m"]),
        ("b!tch", ["B!TCH"], ["b tch", "bitch"]),
        ("kick  @$$!", ["So kick\n@$$."], ["kick", "@$$"]),
        ("'a$$',", ["a$$"], ["a"]),
        ("(((them)))", ["(((them)))"], ["them", "(them)"]),
        ("s***", ["s***"], ["s"]),
        (".NET", [".net"], ["net"]),
        (":-)", ["Yes :-)"], ["Yes :-("]),
        ("bad_word", ["bad_word"], ["bad word"]),
        ("don't", ["Don\u2019t.", "don t"], ["dont"]),
        ("bad-word", ["bad word", "Bad\u2011Word"], ["bad"]),
        ("cafe\u0301", ["CAF\u00c9"], ["cafe"]),
        ("की", ["भारत की"], ["का क", "किताब"]),
    ],
)
def test_an_entry_with_signs_is_matched_with_them(
    tmp_path: Path, entry: str, said: list[str], unsaid: list[str]
) -> None:
    path = tmp_path / "blocked.txt"
    path.write_text(f"{entry}\n", encoding="utf-8")
    blocked = BlockList(str(path))
    assert all(blocked(talk(text)) for text in said)
    assert not any(blocked(talk(text)) for text in unsaid)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("slur  # why", "a slur"),
        ("slur ## why", "a slur"),
        ("C# # why", "c#"),
        ("kill yourself.", "kill yourself"),
        ("kill yourself, now!", "Kill yourself now"),
        ('"bad word"', "bad word"),
        ('"bad word",', "bad word"),
        ("\u201cbad\u201d word", "bad word"),
        ("foo,", "foo"),
        ("(foo)", "foo"),
        ("*slur*", "slur"),
        ("**slur**", "slur"),
        ("__slur__", "slur"),
        ("slur*", "slur"),
        ("* slur", "slur"),
        ("\u2022 slur", "slur"),
        ("\u200bslur", "slur"),
        ("bad\u200bword", "bad\u200bword"),
        ("bad \u2013 word", "bad word"),
        ("\u6076\u3002", "\u6076"),
    ],
)
def test_an_entry_written_as_in_a_sentence_or_with_a_comment_matches_its_words(
    tmp_path: Path, entry: str, said: str
) -> None:
    path = tmp_path / "blocked.txt"
    path.write_text(f"{entry}\n", encoding="utf-8")
    blocked = BlockList(str(path))
    assert blocked(talk(f"So {said}."))
    assert not blocked(talk("Why, they fell."))


@pytest.mark.parametrize("entry", ["slur #why", "slur  #", "kick #it # why"])
def test_an_entry_that_may_end_in_a_comment_is_refused(tmp_path: Path, entry: str) -> None:
    """It would match nothing in silence."""
    path = tmp_path / "blocked.txt"
    path.write_text(f"# mine\nfoo\n{entry}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"^filters\.block_list: .*blocked\.txt:3: expected a space after #"):
        BlockList(str(path))


def test_signs_name_a_word_or_a_phrase(tmp_path: Path) -> None:
    path = tmp_path / "blocked.txt"
    path.write_text("@$$\nkick @$$\n# kick a$$\n")
    blocked = BlockList(str(path))
    assert blocked(talk("@$$")) == "a listed word in a turn of the assistant"
    path.write_text("kick @$$\n")
    assert BlockList(str(path))(talk("kick @$$")) == "a listed phrase in a turn of the assistant"
    path.write_text("# only comments\n \n")
    with pytest.raises(BadInput, match="expected one word or phrase per line, got none"):
        BlockList(str(path))


def test_signs_are_searched_in_linear_time(tmp_path: Path) -> None:
    path = tmp_path / "blocked.txt"
    path.write_text("a$$\n$$\n")
    blocked = BlockList(str(path))
    assert_linear(lambda size: blocked(talk("a $x$$y a$$b " * size)), 3000)
