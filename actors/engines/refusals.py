"""What a server says when it does not answer: read from error bodies, whatever status they come with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from actors.engines.http_client import BadAnswer, Reply
from actors.engines.openai_answers import parsed

# The client errors (4xx) that a retry may resolve; the others mean that the request itself is wrong. Errors
# about key and model are included: a gateway that returns them occasionally must not fail rows, and if they
# persist, the rate of failed candidates ends the run.
PASSING = (401, 403, 404, 408, 409, 421, 423, 425, 429)
# The statuses with which servers reject a part of a request. 5xx too: a chat template that raises is often
# reported as an error of the server.
REJECTING = (400, 404, 405, 406, 413, 415, 422, 424, 500, 501)

_NO_QUOTA_CODES = re.compile(
    r"insufficient_(?:quota|balance|credits?|funds)|billing_\w+|account_(?:deactivated|suspended)"
    r"|credits_exhausted|quota_exhausted|arrearage|payment_required"
)
_NO_QUOTA = re.compile(
    r"exceeded your (?:current|monthly|included)[\w ]*(?:quota|credits)|credit balance is too low"
    r"|insufficient (?:\w+ )?(?:balance|credits?|funds|quota)|(?:out of|no|not enough) (?:\w+ )?credits?\b"
    r"|requires more credits|payment required|billing (?:hard limit|details|is not active|account)"
    r"|quota (?:is|has been) (?:exhausted|used up)|account is (?:overdue|in arrears|not active)"
)
_FILTERED_CODES = re.compile(
    r"content_?filter|content_?policy|data_?inspection_?failed|responsibleai|moderation|invalid_prompt|unsafe"
)
_FILTERED = re.compile(
    r"content management policy|content_filter|content filter|content exists risk|inappropriate content"
    r"|flagged (?:as|for|by)|violat\w+ (?:our |the )?(?:usage|content|safety)|usage (?:policy|guidelines)"
    r"|rejected (?:by|as a result of) (?:the|our) safety|sensitive (?:content|words)"
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
_CUT_OFF = re.compile(r"could not finish the message because")
_NO_ENDPOINT = re.compile(
    r"unexpected endpoint|unknown (?:endpoint|path|url|request url)|invalid url|cannot post|file not found"
    r"|page not found|no route|\"detail\":\s?\"not found\""
)
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
    pause_s: float = 0.0
    """How long no request is sent because of it."""

    @property
    def is_about_quota(self) -> bool:
        """Whether the account has nothing left, so that waiting does not help. Limits per minute say when to
        come back."""
        if self.status == 402 or _NO_QUOTA_CODES.search(self.code):
            return True
        return self.status in (200, 400, 403, 429) and bool(_NO_QUOTA.search(self.body)) and not self.wait_s

    @property
    def is_filtered(self) -> bool:
        """Whether the prompt was stopped by a filter of its content."""
        found = _FILTERED_CODES.search(self.code) or _FILTERED.search(self.body)
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
        return self.status in (404, 405, 501) and "model" not in self.body

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
        text = reply.body.decode("utf-8", "replace").strip()
        return _refusal(reply, reply.status, {}, text or "nothing more")
    if reply.succeeded and not _reports_error(content):
        return content
    content = content[0] if isinstance(content, list) and content else content
    content = content if isinstance(content, dict) else {"message": content}
    error = content.get("error")
    error = error if isinstance(error, dict) else {**content, "message": error or _message(content)}
    return _refusal(reply, _status(reply, content, error), error, _said(error))


def _refusal(reply: Reply, status: int, error: dict[str, Any], said: str) -> Refusal:
    return Refusal(
        status,
        said,
        str(error.get("param") or "").lower(),
        f"{error.get('code') or ''} {error.get('type') or ''}".lower(),
        reply.body[:_LONGEST].decode("utf-8", "replace").lower(),
        reply.headers.get("location", "nowhere"),
    )


def _reports_error(content: Any) -> bool:
    if isinstance(content, list) and content:
        content = content[0]
    if not isinstance(content, dict) or content.get("choices"):
        return False
    told = content.get("error") or content.get("detail") or content.get("object") == "error"
    return bool(told or ("choices" in content and _message(content)))


def _status(reply: Reply, content: dict[str, Any], error: dict[str, Any]) -> int:
    """That of the reply; for one of success, the status that the error names."""
    if not reply.succeeded:
        return reply.status
    given = (error.get("code"), error.get("status"), content.get("status_code"), content.get("code"))
    named = [int(str(value)) for value in given if re.fullmatch("[45][0-9]{2}", str(value))]
    return named[0] if named else reply.status


def _message(content: dict[str, Any]) -> Any:
    return next((content[name] for name in ("message", "detail", "msg") if content.get(name)), None)


def _said(error: dict[str, Any]) -> str:
    """The message of an error. Gateways hide that of the server behind them in `metadata.raw`."""
    message = _message(error)
    if isinstance(message, list):
        message = "; ".join(_detail(part) for part in message)
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return str(message if message is not None else error) + (f": {raw}" if raw else "")


def _detail(part: Any) -> str:
    """One problem of a list as pydantic makes it: {"loc": ["body", "seed"], "msg": "..."}."""
    if not isinstance(part, dict) or "msg" not in part:
        return str(part)
    place = part.get("loc")
    names = [str(name) for name in place if name != "body"] if isinstance(place, list) else []
    return f"{'.'.join(names)}: {part['msg']}" if names else str(part["msg"])
