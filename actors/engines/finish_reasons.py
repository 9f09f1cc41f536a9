"""Why a server stopped, in its own words."""

from __future__ import annotations

import re
from typing import Literal

from actors.engines.http_client import BadAnswer

FinishReason = Literal["stop", "length", "content_filter"]
# The words of servers and of the APIs behind them, without case, spaces and underscores.
_FINISHED: dict[str, FinishReason] = {
    **dict.fromkeys(
        ("stop", "eos", "eostoken", "endturn", "endofturn", "stopsequence", "complete", "completed", "done"),
        "stop",
    ),
    **dict.fromkeys(
        (
            "length", "maxtokens", "maxlength", "maxoutputtokens", "maxnewtokens", "modellength",
            "tokenlimit", "incomplete", "modelcontextwindowexceeded",
        ),
        "length",
    ),
    **dict.fromkeys(
        (
            "contentfilter", "contentfiltered", "contentpolicy", "safety", "sensitive", "refusal",
            "recitation", "blocklist", "prohibitedcontent", "spii", "guardrailintervened", "blocked",
            "moderation",
        ),
        "content_filter",
    ),
}  # fmt: skip


def finish_reason(value: str | None, tokens_out: int, asked: int) -> FinishReason:
    """The reason in our words; `asked`: the limit of new tokens. Raises BadAnswer if the server broke off or
    says something unknown."""
    word = re.sub(r"[^a-z]", "", (value or "").rpartition(".")[2].lower())
    if value is None or not value.strip() or word in ("none", "null"):
        # Some servers don't say why they stop.
        return "length" if tokens_out >= asked else "stop"
    if word.startswith("contentfilter"):  # some append what was found
        return "content_filter"
    if word in _FINISHED:
        return _FINISHED[word]
    raise BadAnswer(f"expected finish_reason stop or length, got {value!r}")
