"""Why a server stopped, in its own words."""

from __future__ import annotations

import re
from typing import Any, Literal

from actors.engines.http_client import BadAnswer
from actors.engines.openai_logprobs import Note

_LONGEST = 40
FinishReason = Literal["stop", "length", "content_filter"]
# Parts of the words of servers and of the APIs behind them, without case, spaces and underscores; the first
# that fits decides.
_FILTERED = re.compile(
    r"filter|safety|toxic|sensitive|refusal|refused|recitation|blocklist|blocked|prohibited|spii|guardrail"
    r"|moderation|contentpolicy|unsafe"
)
_CUT_OFF = re.compile(
    r"length|maxtokens|max[a-z]*tokens|tokenlimit|context|incomplete|timelimit|truncated|repetition"
)
_BROKEN_OFF = re.compile(r"error|abort|cancel|timeout|fail|malformed|network|insufficient|killed|overload")
_FINISHED = re.compile(
    r"stop|eos|endof|endturn|endtoken|^end$|complete|done|finish|eog|toolcall|functioncall"
)


def finish_reason(value: Any, tokens_out: int, asked: int, note: Note) -> FinishReason:
    """The reason in our words; `asked`: the limit of new tokens. Raises BadAnswer if the server broke off."""
    given = value.get("type") if isinstance(value, dict) else value
    is_word = isinstance(given, str) and (not given.strip() or re.search("[A-Za-z]", given))
    if given is not None and (not is_word or len(given) > _LONGEST):
        raise BadAnswer(f"expected finish_reason stop or length, got {value!r}")
    word = re.sub(r"[^a-z]", "", (given or "").rpartition(".")[2].lower()).removeprefix("finishreason")
    if _FILTERED.search(word):
        return "content_filter"
    if _CUT_OFF.search(word):
        return "length"
    if _BROKEN_OFF.search(word):
        raise BadAnswer(f"the server broke off: expected finish_reason stop or length, got {given!r}")
    if _FINISHED.search(word):
        return "stop"
    # Some servers don't say why they stop.
    is_cut_off = tokens_out >= asked
    if word not in ("", "none", "null"):
        note(
            "gives an unknown finish_reason, read as finished, or at the token limit as cut off",
            f": {given!r}",
        )
    return "length" if is_cut_off else "stop"
