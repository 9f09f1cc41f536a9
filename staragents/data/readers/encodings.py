"""Guesses the encoding of text that is not UTF-8 from a sample of its bytes."""

from __future__ import annotations

import codecs
import re
from functools import cache
from typing import TYPE_CHECKING

from staragents.base.language_detector import load_detector

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""The longer ones first: UTF-32 begins like UTF-16."""
FEWEST_BYTES = 3
"""With fewer invalid bytes, they are damage in a UTF-8 file and not another encoding."""
SAMPLE_BYTES = 1 << 16
"""Enough for a guess; charset-normalizer takes seconds for megabytes."""

_HIGH = re.compile(rb"[\x80-\xff]+")
# Letters of scripts other than Latin stand next to each other, accents alone: at least 0.82 of the high
# bytes against at most 0.57 in our tests.
_RUN_SHARE = 0.7
_FEWEST_OF_SCRIPT = 24
_SCRIPTS = (
    "gb18030", "big5", "cp932", "euc_jp", "cp949", "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874",
)  # fmt: skip
_KANA = re.compile("[\u3041-\u30fa]")
_LATIN = {
    "cp1250": {"pl", "cs", "sk", "hu", "hr", "bs", "sl", "ro", "sq"},
    "cp1254": {"tr", "az"},
    "cp1257": {"lt", "lv"},
}
"""Languages that the usual encoding of Latin script, cp1252, can't represent."""
_WEST = frozenset(
    (
        "en",
        "fr",
        "de",
        "es",
        "pt",
        "it",
        "nl",
        "sv",
        "da",
        "no",
        "fi",
        "ca",
        "eu",
        "gl",
        "is",
        "ga",
        "af",
        "id",
    )
)
_ISO = {"cp1250": "iso8859_2"}
# Accented letters and typographic characters of Western text, in cp1252.
_WESTERN = frozenset(
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßœðþÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝŒÐÞ"
    "\u2013\u2014\u2018\u2019\u201c\u201d\u201e\u2026\u2022\u20ac\u2122«»°·§©®£½¼¾\u00d7±²³µ¿¡ªº\xa0\xad"
)
_WESTERN_ENCODINGS = ("cp1252", "mac_roman", "cp850")
_CAPITAL_WITHIN = re.compile("[a-zß-ÿ][À-ÞŒ]")
_WITHIN = re.compile(
    "[^\\W\\d_][\u201a\u201e\u2026\u2020\u2021\u2030\u2039\u00a4\u00a6\u00ac\u00b6\u00b9\u00b3][^\\W\\d_]"
)
_OTHER_NULLS = 0.1
_PLAUSIBLE, _SURE = 0.9, 0.8


def encoding_problem(name: str | None) -> str | None:
    """Why Python can't read text in this encoding; None if it can, or if none is named."""
    if name is None:
        return None
    try:
        # `rot13`, `base64` and the like convert text to text or bytes to bytes.
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError):
        return f"expected an encoding that Python knows, such as cp1252, gbk or utf-16, got {name!a}"
    return None


def marked(head: bytes) -> str | None:
    """The encoding that a byte order mark at the start names, or that UTF-16 without one shows."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    start = head[:4096]
    # Half of the bytes of ASCII in UTF-16 are null, every other one. Those of a damaged file are in a row.
    if len(start) >= 4 and start.count(0) >= 0.3 * len(start):
        even, odd = start[0::2].count(0), start[1::2].count(0)
        if min(even, odd) < _OTHER_NULLS * max(even, odd):
            return "utf-16-le" if odd > even else "utf-16-be"
    return None


def invalid_bytes(sample: bytes) -> tuple[int, int]:
    """The number of bytes that are not UTF-8, and of valid characters that are not ASCII. A character that
    the end of the sample cuts counts as neither."""
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(sample)
    invalid = len(text) - len(text.encode("utf-8", "ignore").decode())
    return invalid, len(text) - len(text.encode("ascii", "ignore")) - invalid


def guessed(sample: bytes) -> str | None:
    """Python's name of the encoding of text that is not UTF-8; None if the bytes are too few or too mixed.

    Depends on nothing but the sample. A file with much valid UTF-8 is damaged, not in another encoding.
    """
    invalid, valid = invalid_bytes(sample)
    if invalid < FEWEST_BYTES:
        return None
    lines = b"\n".join(line for line in sample.splitlines() if not line.isascii())[:SAMPLE_BYTES]
    if len(sample) > SAMPLE_BYTES:
        # Up to a byte that is a character of its own in every encoding, as the end may cut one.
        lines = lines[: 1 + max(map(lines.rfind, (b" ", b'"', b",", b"\n"))) or len(lines)]
    runs = _HIGH.findall(lines)
    high = sum(map(len, runs))
    in_runs = sum(len(run) for run in runs if len(run) > 1)
    # Other encodings contain valid UTF-8 by accident: two bytes of GBK often, two accents hardly ever.
    if in_runs > _RUN_SHARE * high:
        return _of_script(lines, high) if valid < invalid else None
    return _of_latin(lines) if 10 * valid < invalid else None


def _of_script(lines: bytes, high: int) -> str | None:
    from charset_normalizer import from_bytes

    if high < _FEWEST_OF_SCRIPT:
        return None
    found = list(from_bytes(lines, cp_isolation=list(_SCRIPTS)))
    equals = [
        one.encoding for one in found if one.chaos <= found[0].chaos and one.coherence >= found[0].coherence
    ]
    if len(equals) > 1:
        # Short Japanese text can also be read as Korean, but then it has no kana.
        equals = [name for name in equals if len(_KANA.findall(lines.decode(name, "replace"))) > high / 10]
    return equals[0] if len(equals) == 1 else None


def _of_latin(lines: bytes) -> str | None:
    # The language shows even with the wrong accents.
    language, probability = _languages().classify(lines.decode("cp1252", "replace"))
    for encoding, languages in _LATIN.items():
        if language in languages and probability >= _SURE:
            found = _more_letters(lines, encoding, _ISO.get(encoding, encoding))
            if found is not None:
                return found
    return next((encoding for encoding in _WESTERN_ENCODINGS if _is_western(lines, encoding)), None)


def _is_western(lines: bytes, encoding: str) -> bool:
    """Whether most characters are those of Western text, with no capitals within words."""
    try:
        text = lines.decode(encoding)
    except UnicodeDecodeError:
        return False
    high = [character for character in text if character > "\x7f"]
    usual = sum(character in _WESTERN for character in high) - len(_CAPITAL_WITHIN.findall(text))
    return usual >= _PLAUSIBLE * len(high)


@cache
def _languages() -> LanguageIdentifier:
    """py3langid for the languages above. Raises RunFailed."""
    identifier = load_detector("seeds.encoding")
    identifier.set_languages(_WEST.union(*_LATIN.values()) & set(identifier.labels))
    return identifier


def _more_letters(lines: bytes, *encodings: str) -> str | None:
    """The encoding in which most high bytes are letters; None if it can't decode all."""

    def letters(encoding: str) -> int:
        text = lines.decode(encoding, "replace")
        return sum(character > "\x7f" and character.isalpha() for character in text)

    best = max(encodings, key=letters)
    try:
        text = lines.decode(best)
    except UnicodeDecodeError:
        return None
    return None if _WITHIN.search(text) else best
