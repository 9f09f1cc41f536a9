"""Normalises text for marker detection: removes invisible characters and folds look-alikes to ASCII."""

# ruff: noqa: RUF001 (look-alikes are the subject)
from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from itertools import accumulate

# NFKD folds compatibility forms (fullwidth, mathematical, circled ...); these only look alike.
_LOOK_ALIKES = (
    ("<", "‹〈⟨❮˂ᐸ"),
    (">", "›〉⟩❯˃ᐳ"),
    ("|", "│∣ǀ❘⏐┃丨"),
    ("[", "【⁅"),
    ("]", "】⁆"),
    (":", "꞉∶ː։᛬"),
    ("=", "═꞊"),
    ("_", "▁ˍ"),
    ('"', "“”„‟″"),
    ("'", "‘’‚‛′"),
    ("A", "АΑᎪꓮ"), ("B", "ВΒᏴꓐ"), ("C", "СϹᏟꓚ"), ("D", "ᎠꓓԀ"), ("E", "ЕΕᎬꓰ"), ("H", "НΗᎻꓧ"), ("I", "ІΙӀᏆꓲ"),
    ("K", "КΚᏦꓗ"), ("M", "МΜᎷꓟ"), ("N", "Νꓠ"), ("O", "ОΟꓳ"), ("P", "РΡᏢꓑ"), ("R", "ᎡᏒꓣ"), ("S", "ЅᏚꓢ"),
    ("T", "ТΤᎢꓔ"), ("U", "Սꓴ"), ("V", "ѴᏙꓦ"), ("X", "ХΧꓫ"), ("Y", "УҮΥꓬ"), ("Z", "ΖᏃꓜ"),
    ("a", "аαɑᴀ"), ("b", "вʙЬь"), ("c", "сϲᴄ"), ("d", "ԁᴅ"), ("e", "еεᴇ"), ("h", "һʜ"), ("i", "іıιɩɪӏ"),
    ("k", "кκᴋ"), ("m", "мᴍ"), ("n", "пηɴո"), ("o", "оοᴏօ"), ("p", "рρᴘ"), ("r", "гʀᴦ"), ("s", "ѕꜱ"),
    ("t", "тτᴛ"), ("u", "υᴜսʋ"), ("v", "ѵνᴠⱱ"), ("x", "хχ"), ("y", "уүγʏ"), ("z", "ᴢ"),
)  # fmt: skip
_ASCII_OF = {ord(other): letter for letter, others in _LOOK_ALIKES for other in others}
_LINE_BREAKS = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
# Letters and a symbol by Unicode category, but rendered as blanks.
_BLANK = "\u115f\u1160\u3164\uffa0\u2800"
_IGNORED = ("Mn", "Me", "Cf", "Cc")
_PLAIN = re.compile(r"[\n\t -~]*")


class _Folds(dict[int, str]):
    """Cache of folded characters, filled on first use."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _folded(chr(code))
        return folded


def _folded(character: str) -> str:
    if character in _LINE_BREAKS:
        return "\n"
    if character in "\n\t":
        return character
    if character in _BLANK:
        return ""
    parts = unicodedata.normalize("NFKD", character)
    return "".join(
        " " if part.isspace() else _ASCII_OF.get(ord(part), part)
        for part in parts
        if unicodedata.category(part) not in _IGNORED
    )


_FOLDS = _Folds()


def folded(text: str) -> str:
    """The text in which to search for markers. Each character is folded separately, so that every position in
    the result corresponds to one in the text: white space becomes a space or a line break, invisible and
    combining characters are removed, look-alikes become ASCII. Case is preserved.
    """
    return text if _PLAIN.fullmatch(text) else text.translate(_FOLDS)


def original_indices(text: str, ends: list[int]) -> list[int]:
    """Map each end index in `folded(text)` to the corresponding end index in `text`."""
    if _PLAIN.fullmatch(text):
        return ends
    lengths = [0, *accumulate(len(_FOLDS[ord(character)]) for character in text)]
    return [bisect_left(lengths, end) for end in ends]
