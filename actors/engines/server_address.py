"""The address of a server: what `base_url` may hold, and where else the API may be."""

from __future__ import annotations

import re

# Paths of the API that users copy along with the address.
_ENDPOINT = re.compile(r"/(?:chat/completions|completions|responses|models|embeddings)/*$")
_VERSION = re.compile(r"/v\d\w*(?:/openai)?$")


def base_path(path: str) -> str:
    """The path of `base_url` without slashes at its end and without the path of a call."""
    return _ENDPOINT.sub("", path).rstrip("/")


def other_paths(path: str) -> list[str]:
    """Where the API may be if it is not at `path`: most servers have it below /v1. None if `path` names a
    version."""
    if _VERSION.search(path):
        return []
    return [other for other in dict.fromkeys((f"{path}/v1", "/v1", "")) if other != path]
