"""A text as tokenizers and readers take it: without invisible characters, look-alikes folded into ASCII."""

# ruff: noqa: RUF001 (look-alikes are the subject)
from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from itertools import accumulate

# Compatibility forms (fullwidth, mathematical, circled ...) are folded by NFKD; these only look alike.
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
# Letters and a symbol by category, although nothing is drawn for them.
_BLANK = "\u115f\u1160\u3164\uffa0\u2800"
_IGNORED = ("Mn", "Me", "Cf", "Cc")
_PLAIN = re.compile(r"[\n\t -~]*")


class _Folds(dict[int, str]):
    """What a character is folded into, worked out when it is first met."""

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
    """The text to look for markers in. Each character is folded by itself, so that what stands in the result
    stands at one place of the text: white space becomes a space or a line break, what is invisible or only
    marks another character goes, look-alikes become ASCII. Case stays.
    """
    return text if _PLAIN.fullmatch(text) else text.translate(_FOLDS)


def places(text: str, ends: list[int]) -> list[int]:
    """Where in the text the first `end` characters of `folded(text)` end, for every one of `ends`."""
    if _PLAIN.fullmatch(text):
        return ends
    lengths = [0, *accumulate(len(_FOLDS[ord(character)]) for character in text)]
    return [bisect_left(lengths, end) for end in ends]
