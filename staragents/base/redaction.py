"""Replaces secrets with `***` in everything that is written or shown.

This is the second line of defence, for messages of servers and libraries. Configs contain only names of
environment variables, never secrets (`staragents.validation.secret_checks`).
"""

from __future__ import annotations

import functools
import json
import logging
import re
import traceback
from typing import Any
from urllib.parse import quote, quote_plus

from staragents.base.environment import names_secret, secret_values
from staragents.text.secret_patterns import SECRET_PATTERNS

MASK = "***"

# Bounded repeats keep the time linear. A password may contain a slash, as S3 keys do; text after a port is
# not a password. A URL that was handled as a path has lost a slash.
_USERINFO = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31}):(?P<slashes>/{1,3})"
    r"(?P<userinfo>[^\s/@:?#\"'<>]{0,256}:(?!\d{1,5}(?:[/?#]))[^\s@\"'<>]{0,512}|[^\s/@:?#\"'<>]{1,512})@"
)
_PARAMETER = re.compile(r"(?P<name>[?&;][\w.%-]{1,64})=(?P<value>[^\s&;#\"'<>\\]+)")
_HEADER = re.compile(r"(?i)\b(?P<scheme>bearer|basic) +(?P<value>[\w.~+/-]{8,}=*)")
# Schemes whose addresses contain a user without a password: an Azure container, an account on a host.
_NAMES_A_USER = {"abfs", "abfss", "wasb", "wasbs", "hdfs", "webhdfs", "sftp", "ssh", "git+ssh"}


def redacted(text: str) -> str:
    """Replace all secrets known to this process and all texts that match a secret's format."""
    for value in _written(frozenset(secret_values())):
        text = text.replace(value, MASK)
    for pattern in SECRET_PATTERNS.values():
        text = pattern.sub(MASK, text)
    text = _HEADER.sub(rf"\g<scheme> {MASK}", text)
    if ":/" in text:
        text = _USERINFO.sub(_without_userinfo, text)
    return _PARAMETER.sub(_without_value, text)


def url_secret(url: str) -> str | None:
    """A description of the secret in a URL, or None."""
    if any(_without_userinfo(found) != found[0] for found in _USERINFO.finditer(url)):
        return "a user or password"
    for found in _PARAMETER.finditer(url):
        if names_secret(found["name"][1:]):
            return f"the parameter {found['name'][1:]}"
    return None


def guard_logs() -> None:
    """Redact all further log records of this process, for every logger and handler."""
    if not isinstance(logging.getLogRecordFactory(), _Redacting):
        logging.setLogRecordFactory(_Redacting(logging.getLogRecordFactory()))


class _Redacting:
    """A record factory instead of a filter, as a logger's filters do not see its children's records."""

    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._factory(*arguments, **named)
        try:
            record.msg, record.args = redacted(record.getMessage()), ()
        except (TypeError, ValueError, KeyError):
            return record  # the arguments don't match the format: the handler reports that
        if record.exc_info and record.exc_info[1] is not None:
            # Formatters use exc_text, if set, instead of formatting exc_info.
            record.exc_text = redacted("".join(traceback.format_exception(record.exc_info[1]))).rstrip("\n")
        return record


@functools.lru_cache(maxsize=8)
def _written(values: frozenset[str]) -> list[str]:
    """The values and their URL and JSON encodings. Longest first, as they may contain others."""
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
