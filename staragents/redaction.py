"""`***` in place of secrets in everything that is written or shown.

The second line of defence: config fields hold names of environment variables, never secrets
(`staragents.config.secret_checks`). This module is for what servers and libraries answer.
"""

from __future__ import annotations

import functools
import json
import logging
import re
import traceback
from typing import Any
from urllib.parse import quote, quote_plus

from staragents.environment import names_secret, secret_values
from staragents.filters.secrets import KINDS

MASK = "***"

# Bounded, so that a long text takes linear time. A password may hold a slash, as those of S3 do; what
# follows a port is no password. A URL that was taken for a path has lost a slash.
_USERINFO = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31}):(?P<slashes>/{1,3})"
    r"(?P<userinfo>[^\s/@:?#\"'<>]{0,256}:(?!\d{1,5}(?:[/?#]))[^\s@\"'<>]{0,512}|[^\s/@:?#\"'<>]{1,512})@"
)
_PARAMETER = re.compile(r"(?P<name>[?&;][\w.%-]{1,64})=(?P<value>[^\s&;#\"'<>\\]+)")
_HEADER = re.compile(r"(?i)\b(?P<scheme>bearer|basic) +(?P<value>[\w.~+/-]{8,}=*)")
_FORMS = [re.compile(form) for form in KINDS.values()]
# Where a user without a password is part of the address: a container of Azure, an account of a host.
_NAMES_A_USER = {"abfs", "abfss", "wasb", "wasbs", "hdfs", "webhdfs", "sftp", "ssh", "git+ssh"}


def redacted(text: str) -> str:
    """The text with every secret that this process knows, or that has the form of one, replaced."""
    for value in _written(frozenset(secret_values())):
        text = text.replace(value, MASK)
    for pattern in _FORMS:
        text = pattern.sub(MASK, text)
    text = _HEADER.sub(rf"\g<scheme> {MASK}", text)
    if ":/" in text:
        text = _USERINFO.sub(_without_userinfo, text)
    return _PARAMETER.sub(_without_value, text)


def url_secret(url: str) -> str | None:
    """What kind of secret a URL holds, in words; None if it holds none."""
    if any(_without_userinfo(found) != found[0] for found in _USERINFO.finditer(url)):
        return "a user or password"
    for found in _PARAMETER.finditer(url):
        if names_secret(found["name"][1:]):
            return f"the parameter {found['name'][1:]}"
    return None


def guard_logs() -> None:
    """Redact every log record of this process from now on, whichever logger and handler it goes through."""
    if not isinstance(logging.getLogRecordFactory(), _Redacting):
        logging.setLogRecordFactory(_Redacting(logging.getLogRecordFactory()))


class _Redacting:
    """A factory and not a filter, as those of a logger do not see what its children log."""

    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._factory(*arguments, **named)
        try:
            record.msg, record.args = redacted(record.getMessage()), ()
        except (TypeError, ValueError, KeyError):
            return record  # arguments that do not fit: the handler says so
        if record.exc_info and record.exc_info[1] is not None:
            # Formatters take this text, if it is there, instead of making it from exc_info.
            record.exc_text = redacted("".join(traceback.format_exception(record.exc_info[1]))).rstrip("\n")
        return record


@functools.lru_cache(maxsize=8)
def _written(values: frozenset[str]) -> list[str]:
    """Values, also as a server may repeat them in URL or JSON. Long ones first: they may hold others."""
    forms = set(values)
    for value in values:
        forms |= {quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]}
    return sorted(forms, key=len, reverse=True)


def _without_userinfo(found: re.Match[str]) -> str:
    if found["scheme"].lower() in _NAMES_A_USER and ":" not in found["userinfo"]:
        return found[0]
    return f"{found['scheme']}:{found['slashes']}{MASK}@"


def _without_value(found: re.Match[str]) -> str:
    return f"{found['name']}={MASK}" if names_secret(found["name"][1:]) else found[0]
