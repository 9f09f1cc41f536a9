"""What a server says when it does not answer: read from error bodies, whatever status they come with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from actors.engines.http_client import BadAnswer, Reply
from actors.engines.openai_answers import parsed
from actors.engines.refusal_texts import NOTHING_MORE, message_of, page_text, said_of

# The client errors (4xx) that a retry may resolve; the others mean that the request itself is wrong. Errors
# about key and model are included: a gateway that returns them occasionally must not fail rows, and if they
# persist, the rate of failed candidates ends the run.
PASSING = (401, 403, 404, 408, 409, 421, 423, 425, 429)
# The statuses with which servers reject a part of a request. 5xx too: a chat template that raises is often
# reported as an error of the server. 403: OpenAI's "not allowed to request logprobs from this model".
REJECTING = (400, 403, 404, 405, 406, 413, 415, 422, 424, 500, 501)
# Errors with a status of success that name no other: what their type says.
_TYPES = {
    "overloaded": 503, "unavailable": 503, "rate_?limit": 429, "authentication": 401, "permission": 403,
    "not_?found": 404, "timeout": 504, "server_?error|internal|api_error": 500,
}  # fmt: skip

_NO_QUOTA_CODES = re.compile(
    r"insufficient_(?:quota|balance|credits?|funds)|billing_\w+|account_?(?:deactivated|suspended|overdue)"
    r"|credits_exhausted|quota_exhausted|arrearage|payment_required|budget_exceeded|not_enough_balance"
)
# What an account has, and how servers say that there is none of it, in one sentence and either order.
_ACCOUNT = (
    r"(?:credits?|balance(?! the)|funds|(?<!thinking )(?<!token )(?<!reasoning )budget|quota"
    r"|spend(?:ing)?(?: limit)?|billing|invoices?|payments?"
    r"|usage limits?)"
)
_NONE_LEFT = (
    r"(?:insufficient|not enough|not active|too low|exceeded|exhausted|deplet\w+|used (?:up|all)|ran out"
    r"|run out|out of|reached|overdue|expired|suspended|in arrears|(?:doesn't|don't|not) have (?:any|enough)"
    r"|required|requires more|failure to pay|hard limit|is \$0)"
)
_BETWEEN = r"\b[^.!?\n\"]{0,60}\b"
_NO_QUOTA = re.compile(
    rf"\b{_ACCOUNT}{_BETWEEN}{_NONE_LEFT}|\b{_NONE_LEFT}{_BETWEEN}{_ACCOUNT}\b"
    r"|\baccount [^.!?\n]{0,60}\bis (?:not active|suspended|overdue|in arrears|deactivated)"
    r"|check your plan and billing|max budget|add (?:funds|credits) to|enter a payment method"
    r"|余额不足|欠费|充值"
)
# Limits of a day or a month pass, but not while a run waits.
_LONG_LIMIT = re.compile(r"(?:per[ _-]?|/ ?)(?:day|month)\b|\b(?:daily|monthly)\b")
# Quotas of requests in a minute pass.
_SHORT_LIMIT = re.compile(
    r"(?:per[ _-]?|/ ?|\bthis |\bin (?=\d))(?:\d{1,9} ?)?"
    r"(?:min(?:ute)?|s|sec(?:ond)?|h|hour)s?\b|per_(?:minute|second)|\brp[ms]\b|\btpm\b"
)
_FILTERED_CODES = re.compile(
    r"content_?filter|content_?policy|data_?inspection_?failed|responsibleai|moderation|invalid_prompt|unsafe"
    r"|sensitive_?content"
)
_FILTERED = re.compile(
    r"content management policy|content_?filter|content filter|content exists risk|inappropriate content"
    r"|flagged (?:as|for|by)|violat\w+ (?:our |the )?(?:usage|content|safety)|usage (?:policy|guidelines)"
    r"|rejected (?:by|as a result of) (?:the|our) safety|sensitive (?:content|words|information)|敏感|违规"
    r"|\"block_?reason\"|\"filtered\": ?true"
)
_TOO_LONG = re.compile(
    r"context[ _]length|context[ _]size|context limit|context[ _]window (?:of|is|exceeded)"
    r"|model length|model_len|too many tokens"
    r"|(?:prompt|input|message\w*)(?: \w+){0,2} (?:is|are) too long|token count[ \w()]* exceeds"
    r"|inputs` tokens \+|reduce the length|exceeds the (?:maximum|available)[ \w]* (?:tokens|context)"
)
_WAIT = re.compile(
    r"(?:try again|retry|retrydelay|available)\W{1,4}(?:in|after)?\W{0,4}"
    r"(?P<amount>\d{1,9}(?:\.\d{1,9})?)\s?(?P<unit>ms|m|s|h)?"
)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_CUT_OFF = re.compile(r"could not finish the message because|max completion tokens reached before")
# A server that checks answers against the schema refuses one that does not follow it.
_FAILED_ANSWER = re.compile(r"json_validate_failed|failed to (?:generate|validate) json")
_NO_ENDPOINT = re.compile(
    r"unexpected endpoint|unknown (?:endpoint|path|url|request url)|invalid url|cannot post|file not found"
    r"|page not found|no route|\"detail\":\s?\"not found\""
)
# Words of a server that knows the path, but not the model.
_ABOUT_REQUEST = re.compile(r"model|parameter|deployment|no endpoints found|function '|not supported")
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is none: its status, what the server says in one line, and the parameter it names."""

    status: int
    said: str
    parameter: str = ""
    code: str = ""
    """Code and type, in lower case."""
    body: str = ""
    """The whole body in lower case, for searching."""
    location: str = ""
    """Target of a redirect."""
    written: str | None = None
    """What the model wrote, if the server refuses only that."""
    pause_s: float = 0.0
    """How long no request is sent because of it."""

    @property
    def is_about_quota(self) -> bool:
        """Whether the account has nothing left, so that waiting does not help. Limits per minute say so, or
        when to come back."""
        if self.status == 402 or _NO_QUOTA_CODES.search(self.code):
            return True
        if self.status not in (200, 400, 403, 412, 424, 429) or self.wait_s or self.is_filtered:
            return False
        said = self.said.lower()
        if _SHORT_LIMIT.search(said):
            return False
        return bool((self.status == 429 and _LONG_LIMIT.search(said)) or _NO_QUOTA.search(said))

    @property
    def is_filtered(self) -> bool:
        """Whether the prompt was stopped by a filter of its content."""
        # The body may hold letters as escapes.
        found = _FILTERED_CODES.search(self.code) or _FILTERED.search(f"{self.said.lower()} {self.body}")
        return self.status in (200, 400, 403, 422, 451) and bool(found)

    @property
    def is_cut_off(self) -> bool:
        """Whether reasoning used all tokens: OpenAI's models report that as an invalid request."""
        return bool(_CUT_OFF.search(self.body))

    @property
    def is_too_long(self) -> bool:
        return self.status in (200, 400, 413, 422, 500) and bool(_TOO_LONG.search(self.body))

    @property
    def rejects_request(self) -> bool:
        """Whether another form of the same request may be answered."""
        return self.status in (200, *REJECTING)

    @property
    def is_wrong_address(self) -> bool:
        """Whether no API answered: a web page, or a path that the server does not know."""
        if _NO_ENDPOINT.search(self.body):
            return True
        return self.status in (404, 405, 501) and not _ABOUT_REQUEST.search(self.body)

    @property
    def wait_s(self) -> float:
        """Seconds after which the text asks to come back; 0 if it does not say."""
        found = _WAIT.search(self.body)
        return float(found["amount"]) * _SECONDS[found["unit"]] if found else 0.0


def content_of(reply: Reply) -> Any:
    """The parsed body of a reply that may hold an answer, else its Refusal, also if it comes with a status of
    success. Raises BadAnswer if a reply with such a status can't be read."""
    try:
        content = parsed(reply)
    except BadAnswer:
        if reply.succeeded:
            raise
        text = page_text(reply.body.decode("utf-8", "replace").strip())
        return _refusal(reply, reply.status, {}, text or NOTHING_MORE)
    content = content[0] if isinstance(content, list) and content else content
    if reply.succeeded and not (isinstance(content, dict) and _reports_error(content, reply)):
        return content
    content = content if isinstance(content, dict) else {"message": content}
    error = _error_in(content) or content.get("base_resp")
    error = error if isinstance(error, dict) else {**content, "message": error or message_of(content)}
    return _refusal(reply, _status(reply, content, error), error, said_of(error))


def _refusal(reply: Reply, status: int, error: dict[str, Any], said: str) -> Refusal:
    body = reply.body[:_LONGEST].decode("utf-8", "replace").lower()
    code = f"{error.get('code') or ''} {error.get('reason') or ''} {error.get('type') or ''}".lower()
    written = error.get("failed_generation")
    return Refusal(
        status,
        said,
        str(error.get("param") or "").lower(),
        code,
        body,
        reply.headers.get("location", "nowhere"),
        str(written or "") if _FAILED_ANSWER.search(f"{code} {said.lower()}") else None,
    )


def _reports_error(content: dict[str, Any], reply: Reply) -> bool:
    if _error_in(content):
        return True
    if content.get("choices"):
        return False
    told = content.get("detail") or content.get("errors") or content.get("object") == "error"
    base = content.get("base_resp")
    told = told or (isinstance(base, dict) and base.get("status_code"))
    body = reply.body[:_LONGEST].decode("utf-8", "replace").lower()
    return bool(told or ("choices" in content and (message_of(content) or _FILTERED.search(body))))


def _error_in(content: dict[str, Any]) -> Any:
    """The error of a body or of its first choice, if it says anything: gateways report the failure of the
    server behind them beside what it had written."""
    choices = content.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    for error in (content.get("error"), choice.get("error")):
        if error and (not isinstance(error, dict) or any(error.values())):
            return error
    return None


def _status(reply: Reply, content: dict[str, Any], error: dict[str, Any]) -> int:
    """That of the reply; for one of success, the status that the error names, or that its type means."""
    if not reply.succeeded:
        return reply.status
    given = (error.get("code"), error.get("status"), content.get("status_code"), content.get("code"))
    named = [int(str(value)) for value in given if re.fullmatch("[45][0-9]{2}", str(value))]
    if named:
        return named[0]
    words = f"{error.get('type')} {error.get('code')}".lower()
    return next((status for word, status in _TYPES.items() if re.search(word, words)), reply.status)
