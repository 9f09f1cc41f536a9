"""From a refusal to the error of one request, with what the user can do about it."""

from __future__ import annotations

import re

from actors.engines.refusals import PASSING, Refusal
from staragents.base.errors import EngineError, PromptTooLong
from staragents.config import ModelConfig

MOVED = (301, 308)
# 529: Anthropic's "overloaded".
BUSY = (429, 503, 529)
# Settings that a refusal may be about although the request contains none of their fields.
_HINTS = {
    "chat": re.compile(r"chat template|chat_template(?!_kwargs)|not a chat model|template not found"),
    "reasoning": re.compile(r"enable_?thinking|thinking mode"),
    "base_url": re.compile(r"api-version"),
}


class RequestRefused(EngineError):
    """The server rejects this request, and would reject a retry."""

    retryable = False


class NotReady(EngineError):
    """The server is there but can't answer yet, as while it loads its model or answers others."""


def kind_of(refusal: Refusal) -> type[EngineError]:
    """The class of its error: whether a retry may help, and whether the prompt is to blame."""
    status = refusal.status
    if refusal.is_about_quota:
        return RequestRefused
    if status in BUSY:
        return NotReady
    if 300 <= status < 400:
        return RequestRefused if status in MOVED else EngineError
    if refusal.is_too_long:
        return PromptTooLong
    return RequestRefused if 400 <= status < 500 and status not in PASSING else EngineError


def line_of(refusal: Refusal, model: str, key: str, setting: str) -> str:
    """`key` describes the key that was sent, `setting` names the setting whose field is refused, if any."""
    status, said = refusal.status, refusal.said
    if 300 <= status < 400:
        to = refusal.location
        return f"expected an answer, got a redirect ({status}) to {to}, which is not followed (base_url)"
    said = f"pausing {refusal.pause_s:g} s: {said}" if refusal.pause_s else said
    if kind_of(refusal) is PromptTooLong:
        return said
    is_page = said.startswith("a web page")
    place = "no API at this path, or the server" if refusal.is_wrong_address else "the server"
    meaning = {
        401: f"the server rejects {key}: ",
        403: "" if is_page else f"the server rejects {key}: ",
        404: f"{place} does not serve {model!r}: ",
        429: "the server wants fewer requests, ",
    }.get(status, "")
    if refusal.is_about_quota:
        meaning = f"no quota or credit is left for {key}: "
    setting = setting or hint_of(refusal)
    return f"status {status}: {meaning}{said}{f' ({setting})' if setting else ''}"


def setting_of(refusal: Refusal, config: ModelConfig) -> str:
    """The setting that put a field into the request which the refusal names; empty if none did."""
    named = f"{refusal.parameter} {refusal.said}"
    for setting in ("extra_body", "chat_template_kwargs"):
        for name in getattr(config, setting):
            if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", named):
                return f"{setting}.{name}"
    whole = config.chat_template_kwargs and "chat_template_kwargs" in named
    return "chat_template_kwargs" if whole else ""


def hint_of(refusal: Refusal) -> str:
    """The setting that may help; empty if none is known."""
    if refusal.is_wrong_address:
        return "base_url"
    said = refusal.said.lower()
    return next((name for name, words in _HINTS.items() if words.search(said)), "")
