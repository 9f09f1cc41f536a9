"""No secret in a config: it is copied into the run directory, the dataset card and the report.

Fields whose names end in `_env` name the environment variable that holds one instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omegaconf.errors import OmegaConfBaseException
from omegaconf.grammar_parser import OmegaConfGrammarParser as Grammar
from omegaconf.grammar_parser import parse

from staragents.config import Config
from staragents.config.tree import Key, as_dict, leaves, matches
from staragents.environment import names_secret, secret_values
from staragents.redaction import url_secret
from staragents.rows.locations import FSSPEC

KEPT_IN = {
    "models.*.base_url": "the environment variable that api_key_env names",
    "memory.url": "the environment variable that memory.api_key_env names",
    "seeds.path": FSSPEC,
    "filters.evaluation": FSSPEC,
}
"""Where the secret of a URL belongs instead. Other fields: nowhere in the config."""
LOCATIONS = (
    "seeds.path",
    "output.dir",
    "models.*.model",
    "models.*.table",
    "models.*.base_url",
    "scoring.*.model",
    "scoring.*.adapter",
    "scoring.cache_path",
    "memory.embedder",
    "memory.url",
    "memory.reuse",
    "filters.evaluation",
    "filters.block_list",
    "agents.*.*.prompt",
)
"""Fields that may hold `${oc.env:NAME}`: where things lie differs from machine to machine."""


LONG_SECRET = 12


def check_secrets(config: Config) -> Iterator[str]:
    """A line for every value that is or holds a secret; none of them repeats it."""
    known = secret_values()
    for key, value in leaves(as_dict(config)):
        dotted = ".".join(key)
        if _is_named_secret(key) and isinstance(value, str) and value:
            yield f"{dotted}: expected no secret in a config, which is copied into the run directory"
            continue
        for text in texts(value):
            if source := _source(text, known):
                yield f"{dotted}: expected no secret in a config, got that of {source}"
            elif kind := url_secret(text):
                yield f"{dotted}: {expected_without(kind, key)}"


def expected_without(kind: str, key: Key) -> str:
    """What is expected of a URL that holds a secret of this `kind`."""
    place = next((place for pattern, place in KEPT_IN.items() if matches(key, pattern)), None)
    return f"expected a URL without {kind}{f'; it belongs into {place}' if place else ''}"


def check_resolvers(key: Key, value: Any) -> str | None:
    """What is wrong with the `${resolver:...}` calls in a value as it was written, if anything is.

    Resolved values stand in clear in config.yaml, so only variables that hold no secret may be read, and only
    into fields that say where something lies.
    """
    for text in texts(value):
        if "${" not in text:
            continue
        try:
            calls = list(_calls(parse(text)))
        except OmegaConfBaseException:
            continue  # said when the reference is looked up
        for name, variable in calls:
            if name != "oc.env":
                return f"expected a value, ${{other.key}} or ${{oc.env:NAME}}, got ${{{name}:...}}"
            if "$" in variable or names_secret(variable):
                return f"expected no secret in a config{_instead(key)}, got ${{oc.env:...}} of one"
            if not any(matches(key, pattern) for pattern in LOCATIONS):
                return "expected ${oc.env:...} only in fields that hold a path or an address, got it here"
    return None


def texts(value: Any) -> Iterator[str]:
    """Every text in a value: of lists and mappings too, names as well."""
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
    """Where the secret in a text is from. A short one may be a word that stands in others by chance."""
    return known.get(text) or next(
        (known[value] for value in known if len(value) >= LONG_SECRET and value in text), None
    )


def _is_named_secret(key: Key) -> bool:
    """Of mappings that are passed on as they are: all other names are ours, and known."""
    return any(part in ("engine_args", "hnsw") for part in key) and names_secret(key[-1])


def _instead(key: Key) -> str:
    return f"; {'.'.join(key)} takes the variable's name itself" if key[-1].endswith("_env") else ""


def _calls(node: Any) -> Iterator[tuple[str, str]]:
    """Name and first argument of every resolver that a parsed text calls."""
    if isinstance(node, Grammar.InterpolationResolverContext):
        arguments = node.sequence()
        yield node.resolverName().getText(), arguments.getText().split(",")[0].strip() if arguments else ""
    for child in getattr(node, "children", None) or ():
        yield from _calls(child)
