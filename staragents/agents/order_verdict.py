"""The judge's verdict for one order of the samples, and how it is read from the judge's answer."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Literal, cast

from staragents.base.generation import Generation, TokenLogprobs
from staragents.config import JudgeConfig, Verdicts
from staragents.text.storable import storable

Label = Literal["A", "B", "tie"]
LABELS: tuple[Label, ...] = ("A", "B", "tie")
LABEL_VALUES: dict[Label, float] = {"A": 1.0, "B": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True)
class OrderVerdict:
    """The verdict for one order, in terms of the sample shown as A.

    `a_wins` is P(A) + P(tie) / 2 over the verdict's tokens; without probabilities 1, 0.5 or 0 by label.
    """

    label: Label
    a_wins: float
    reason: str


# A label, not the article in "a tie" or "a better answer", nor one of several in "A or B" or "A, B or tie".
_ARTICLE = (
    r"[ ]+(?:tie|draw|clear|close|better|best|more|strong|slight|narrow|marginal|bit|little|good|fair|mixed)"
)
_NAME = r"(?:(?:the[ ]+)?(?:sample|response|answer|option|assistant|candidate)[ ]+)?"
# "A > B" prefers A; all other comparisons prefer B or neither.
_COMPARISON = r"(?:>=|[<=!~\u2248\u2243\u2245\u2260\u2264\u2265])[<=>]*"
_MORE = rf"""(?:["'*`\s]*(?:[/|]|or\b|and\b|vs\b)["'*`\s]*|["'*` ]*{_COMPARISON}["'*` ]*)"""
_NOT_ONE = rf"""(?:{_MORE}|["'*`\s]*,["'*`\s]*(?:A|B|tie){_MORE}){_NAME}(?:A|B|tie)\b"""
# "A isn't better than B", "A is worse", "A loses"; not "A is not only better", "A is not perfect but good".
_WORSE = (
    r"""["'*`]*[ ]+(?:"""
    r"(?:(?:is|was|does|did|would|could)(?:n['\u2019]?t|[ ]+not|[ ]+no)|cannot|can['\u2019]t)[ ]+"
    r"(?:(?!(?:only|just|merely|simply|doubt|but|yet)\b)\w+[ ]+){0,3}?"
    r"(?:better|best|good|correct|right|superior|stronger|preferred|preferable|winner|win|beat)"
    r"|(?:is|was|seems|looks|performs)[ ]+(?:\w+[ ]+)?(?:worse|worst|inferior|weaker|poorer|wrong|incorrect)"
    r"|loses|lost|fails|failed)\b"
)
_JOINED = re.compile(rf"""["'*` ]*(?P<more>>+)["'*` ]*|{_MORE}""", re.IGNORECASE)
"""What makes one statement of two mentions of a label; with `more`, the first one is preferred."""
_OPPOSITE = re.compile(rf"{_NOT_ONE}|{_WORSE}", re.IGNORECASE)
"""What makes a label before it no verdict for that label."""


def _one_label(group: str) -> str:
    """The pattern of a label, as the group of this name."""
    return rf"(?:an?[ ]+(?=tie)|{_NAME})(?P<{group}>(?:A(?!{_ARTICLE})|B|tie)\b)"


_WRITTEN_VERDICT = re.compile(
    rf"""verdict["'*_`]*\s*[:=\uff1a]["'*_`\s]*{_one_label("json")}"""
    r"|\[\[\s*(?P<square>A|B|C|tie)\s*\]\]",
    re.IGNORECASE,
)
# Quotes within a JSON string are escaped, so this matches a key of the answer and not quoted text.
_JSON_VERDICT = re.compile(rf"""(?<!\\)"verdict"\s*:\s*"{_one_label("json")}""", re.IGNORECASE)
_OBJECT = re.compile(r"\s*(?:`{3,}\w*\s*)?(?=\{)")
"""What comes before an answer's JSON object, which may be in a fence."""
_BARE_VERDICT = re.compile(rf"\W*(?:boxed\W+)?(?:text\W+)?{_one_label('bare')}\W*", re.IGNORECASE)


def parse_verdict(generation: Generation, config: JudgeConfig) -> OrderVerdict | None:
    """Parse the verdict from the judge's output, JSON or not; None if there is none. Never raises.

    Uses the `verdict` key of a JSON object, else the last mention, as the reason may quote labels before it.
    An earlier mention does not count where the last one names no label or means the opposite.
    """
    text = generation.text
    found = _written(text)
    if found is None:
        return None
    label = _label(found)
    a_wins = _soft(generation.logprobs, text, found) if config.verdict is Verdicts.soft else None
    reason = _reason(text, found)[: config.max_reason_chars]
    return OrderVerdict(label, LABEL_VALUES[label] if a_wins is None else a_wins, reason)


def _written(text: str) -> re.Match[str] | None:
    mentions = list(_JSON_VERDICT.finditer(text)) if _OBJECT.match(text) else []
    mentions = mentions or list(_WRITTEN_VERDICT.finditer(text))
    if len(mentions) > 1 and (joined := _JOINED.fullmatch(text, mentions[-2].end(), mentions[-1].start())):
        if not joined["more"]:
            return None
        mentions.pop()  # "[[A]] > [[B]]"
    found = mentions[-1] if mentions else _BARE_VERDICT.fullmatch(text)
    return None if found is None or _OPPOSITE.match(text, found.end()) else found


def _label(found: re.Match[str]) -> Label:
    word = found[_group(found)].lower()
    return "A" if word == "a" else "B" if word == "b" else "tie"


def _group(found: re.Match[str]) -> str:
    return found.lastgroup or "bare"


def _reason(text: str, found: re.Match[str]) -> str:
    begin = _OBJECT.match(text)
    try:
        answer = json.JSONDecoder().raw_decode(text, begin.end())[0] if begin else None
        if isinstance(answer, dict) and isinstance(answer.get("reason"), str):
            # JSON escapes can produce characters that are not storable.
            return storable(answer["reason"]).strip()
    except (ValueError, RecursionError):
        pass
    return text[: found.start()].strip(" \n{\"',")


def _soft(logprobs: tuple[TokenLogprobs, ...], answer: str, verdict: re.Match[str]) -> float | None:
    """P(A) + P(tie) / 2 at the verdict's token, over the tokens that begin a label; None if unknown.

    vLLM 0.32 applies the grammar mask before it computes log-probabilities, other servers do not: normalising
    over the labels makes both equal.
    """
    text = "".join([token.text for token in logprobs])
    found = verdict if text == answer else _written(text)
    if found is None or _label(found) != _label(verdict):
        return None
    position, end = found.start(_group(found)), 0
    for token in logprobs:
        end += len(token.text)
        if end > position:
            return _renormalised(token.top, lower=found[_group(found)] in ("a", "b"))
    return None


def _renormalised(top: dict[str, float], lower: bool) -> float | None:
    """`lower`: the verdict is `a` or `b`. Beside any other verdict, `a` is an article."""
    names = ("A", "B", "a", "b") if lower else ("A", "B")
    mass = dict.fromkeys(LABELS, 0.0)
    for text, logprob in top.items():
        word = text.strip(" \t\n\"'[]{},:")
        if word in names:
            mass[cast("Label", word.upper())] += math.exp(min(logprob, 0.0))
        elif word and "tie".startswith(word.lower()):
            mass["tie"] += math.exp(min(logprob, 0.0))
    total = sum(mass.values())
    return (mass["A"] + mass["tie"] / 2) / total if total > 0 else None
