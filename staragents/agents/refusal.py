"""Recognises refusals, such as "I'm sorry, but I can't help with that"."""

from __future__ import annotations

import re


def is_refusal(text: str) -> bool:
    """Whether the text begins with a refusal. A later "sorry" or a quoted refusal does not count."""
    start = _plain(text.lstrip()[:400])
    return any(pattern.match(start) for pattern in _REFUSALS)


def speaks_as_ai(text: str) -> bool:
    """Whether the text contains "as an AI language model" or similar."""
    return _AS_AI.search(_plain(text)) is not None


def _plain(text: str) -> str:
    """The text in lower case with expanded contractions."""
    text = text.lower().replace("\u2019", "'")
    for short, full in _CONTRACTIONS:
        text = text.replace(short, full)
    return text


# Applied in this order, so that the patterns need only one form of each phrase.
_CONTRACTIONS = (
    ("i'm ", "i am "),
    ("can't", "cannot"),
    ("can not", "cannot"),
    ("won't", "will not"),
    ("n't", " not"),
)
_SORRY = r"(?:(?:i am )?(?:\w+ )?sorry|(?:my )?apologies|i apologi[sz]e|unfortunately|regrettably)\b"
# The lookahead excludes persons, such as an "AI researcher".
_AI = (
    r"(?:as|i am)(?: just| only)? an? (?:[\w-]+ ){0,3}?(?:ai|artificial intelligence|language model|chatbot)"
    r"(?: (?:language )?(?:model|assistant|system|chatbot|program))?"
    r"(?=\s*[,.;]| (?:i|and|but|so|trained|created|developed|designed|without|cannot|do)\b)"
)
_AS_AI = re.compile(rf"\b(?=as){_AI}")
_UNABLE = r"\bi (?:cannot|could not|am (?:unable|not (?:able|allowed|permitted|programmed|designed)) to)"
_LACK = (
    r"\bi do not (?:understand|have (?:access|the ability|enough|personal|feelings|opinions|real-time"
    r"|any (?:personal|information|context)))"
)
# Tasks that an assistant declines; "I can't wait", "attend" or "help falling in love" is ordinary text.
_WORK = (
    r"(?:help(?! but\b| \w+ing\b)|assist|provide|fulfil|comply|answer|respond|generate|create|write|rewrite"
    r"|produce|complete|continue|proceed|engage|discuss|share|offer|support|access|browse|process|perform"
    r"|translate|give you|do (?:that|this|so)\b)"
)
_SAME_SENTENCE = r"[^.!?\n]{0,80}?"
_REFUSALS = [
    re.compile(pattern)
    for pattern in (
        rf"{_SORRY}{_SAME_SENTENCE}(?:{_UNABLE} (?:\w+ )?{_WORK}|{_LACK}|{_AI}|{_UNABLE}\s*(?:[.!,]|$))",
        rf"{_AI}{_SAME_SENTENCE}\b(?:cannot|unable|not able|not capable|do not|will not)\b",
        rf"{_UNABLE} (?:\w+ )?{_WORK}",
        r"i (?:must|have to) (?:\w+ )?decline\b",
        r"i am not comfortable (?:with|writing|providing|discussing|creating|generating|helping)\b",
    )
]
