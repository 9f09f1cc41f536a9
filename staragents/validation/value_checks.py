"""Checks for single values of any section."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from staragents.base.environment import allows_long_contexts, secret
from staragents.base.redaction import url_secret
from staragents.config import Config, ModelConfig
from staragents.config.marks import Range
from staragents.config.tree import as_dict, leaves, marks
from staragents.validation.message_parts import nearest, shown

FAKE = "fake"
NAME = re.compile(r"[\w.-]+")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
"""Certainly the name of an environment variable and not an API key."""


def out_of_bounds(config: Config) -> Iterator[str]:
    """A line for every number outside the range that its field declares."""
    for key, value in leaves(as_dict(config)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        for mark in marks(key):
            if isinstance(mark, Range) and not mark.holds(value):
                because = mark.because and f" ({mark.because})"
                yield f"{'.'.join(key)}: expected {mark}{because}, got {shown(value)}"


def check_model_name(key: str, model: str, *, may_be_fake: bool = False) -> Iterator[str]:
    from staragents.models.model_names import check_model

    if may_be_fake and model == FAKE:
        return
    if not model:
        yield f"{key}: expected a hub id, a folder or packaged:..., got nothing"
    elif problem := check_model(model):
        yield f"{key}: {problem}"


def check_context(key: str, model: ModelConfig) -> Iterator[str]:
    """vLLM refuses a longer context than the model's own config.json allows, minutes after the start."""
    from staragents.models.context_length import longest_context

    if allows_long_contexts() or "hf_overrides" in model.engine_args:
        return
    longest = longest_context(model.model)
    if longest is not None and model.max_model_len > longest[0]:
        limit = f"at most {longest[0]}, the {longest[1]} in the config.json of {model.model}"
        yield f"{key}: expected {limit}, got {model.max_model_len}"


def check_known(key: str, name: str, section: str, known: Iterable[str]) -> Iterator[str]:
    known = list(known)
    if name not in known:
        expected = f"a name from {section} ({', '.join(known) or 'which is empty'})"
        yield f"{key}: expected {expected}, got {shown(name)}{did_you_mean(name, known)}"


def check_names(section: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if not NAME.fullmatch(name):
            yield f"{section}.{name}: expected a name of letters, digits and . _ -, got {shown(name)}"


def check_gpus(key: str, number: float) -> Iterator[str]:
    if number > 1 and number % 1:
        yield f"{key}: expected a fraction of one GPU or whole GPUs, got {number:g}"


def check_url(key: str, url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        valid = valid or url_secret(url) is not None  # reported by check_secrets
    except ValueError:
        valid = url_secret(url) is not None
    if not valid:
        yield f"{key}: expected an address such as http://127.0.0.1:8000, got {shown(url)}"


def check_key_variable(key: str, variable: str | None) -> Iterator[str]:
    if variable is None or secret(variable):
        return
    # The user may have put the key itself here: show only what looks like a variable's name.
    got = f"{variable}, which is not set" if VARIABLE.fullmatch(variable) else "something else"
    yield f"{key}: expected the name of an environment variable that holds the key, got {got}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f", did you mean {near}?" if near else ""
