"""Keeps secrets out of configs, which are copied into the run directory, the dataset card and the report.

Fields whose names end in `_env` take the name of the environment variable that holds the secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omegaconf.errors import OmegaConfBaseException
from omegaconf.grammar_parser import OmegaConfGrammarParser as Grammar
from omegaconf.grammar_parser import parse

from staragents.base.environment import names_secret, secret_values
from staragents.base.redaction import url_secret
from staragents.config import Config
from staragents.config.marks import Location
from staragents.config.tree import Key, as_dict, leaves, marks
from staragents.data.readers.locations import FSSPEC
from staragents.text.secret_patterns import SECRET_PATTERNS

PASSED_ON = ("engine_args", "hnsw", "extra_body", "chat_template_kwargs")
"""Mappings whose keys are not ours."""
NO_SECRETS = frozenset(("prompt_cache_key", "eos_token", "bos_token", "pad_token", "unk_token"))
"""Keys of such mappings that only sound like secrets."""
LONG_SECRET = 12
"""Minimum length of a secret that is searched for inside longer strings."""


def check_secrets(config: Config) -> Iterator[str]:
    """A line for every value that is or contains a secret, without showing the secret."""
    known = secret_values()
    for key, value in leaves(as_dict(config)):
        dotted = ".".join(key)
        if _is_named_secret(key) and isinstance(value, str) and value:
            yield f"{dotted}: expected no secret in a config, which is copied into the run directory"
            continue
        for text in texts(value):
            if source := _source(text, known):
                yield f"{dotted}: expected no secret in a config, got that of {source}"
            elif kind := next((kind for kind, found in SECRET_PATTERNS.items() if found.search(text)), None):
                yield f"{dotted}: expected no secret in a config, got text in the format of one ({kind})"
            elif kind := url_secret(text):
                yield f"{dotted}: {expected_without(kind, key)}"


def expected_without(kind: str, key: Key) -> str:
    """The message about a URL that contains a secret of this `kind`."""
    location = _location(key)
    belongs = ""
    if location is not None and location.by_fsspec:
        belongs = f"; it belongs in {FSSPEC}"
    elif location is not None and location.secret_in:
        belongs = f"; it belongs in the environment variable that {location.secret_in} names"
    return f"expected a URL without {kind}{belongs}"


def _location(key: Key) -> Location | None:
    return next((mark for mark in marks(key) if isinstance(mark, Location)), None)


def check_resolvers(key: Key, value: Any) -> str | None:
    """The problem with the `${resolver:...}` calls in an unresolved value, or None.

    config.yaml contains resolved values in plain text, so only variables without secrets may be used, and
    only in fields that contain locations.
    """
    for text in texts(value):
        if "${" not in text:
            continue
        try:
            calls = list(_calls(parse(text)))
        except OmegaConfBaseException:
            continue  # reported when the reference is resolved
        for name, variable in calls:
            if name != "oc.env":
                return f"expected a value, ${{other.key}} or ${{oc.env:NAME}}, got ${{{name}:...}}"
            if "$" in variable or names_secret(variable):
                return f"expected no secret in a config{_instead(key)}, got ${{oc.env:...}} of a secret"
            if _location(key) is None:
                return "expected ${oc.env:...} only in fields for a path or an address, got it here"
    return None


def texts(value: Any) -> Iterator[str]:
    """Every string in a value, including keys and values of nested mappings and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from texts(name)
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def _source(text: str, known: dict[str, str]) -> str | None:
    """The source of a known secret in a text, if any. Short secrets must match the whole text, as they may
    occur inside other words by chance."""
    return known.get(text) or next(
        (known[value] for value in known if len(value) >= LONG_SECRET and value in text), None
    )


def _is_named_secret(key: Key) -> bool:
    """Whether a key of a pass-through mapping names a secret. All other keys are fields of the config."""
    return any(part in PASSED_ON for part in key) and names_secret(key[-1]) and key[-1] not in NO_SECRETS


def _instead(key: Key) -> str:
    return f"; {'.'.join(key)} takes the variable's name itself" if key[-1].endswith("_env") else ""


def _calls(node: Any) -> Iterator[tuple[str, str]]:
    """Name and first argument of every resolver call in a parsed string."""
    if isinstance(node, Grammar.InterpolationResolverContext):
        arguments = node.sequence()
        yield node.resolverName().getText(), arguments.getText().split(",")[0].strip() if arguments else ""
    for child in getattr(node, "children", None) or ():
        yield from _calls(child)
