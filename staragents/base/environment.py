"""Every environment variable that staragents reads, with its type, default and meaning."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

VERBOSE = "STARAGENTS_VERBOSE"
WORKING_DIR = "STARAGENTS_WORKING_DIR"
RAY_TOKEN_PATH = "RAY_AUTH_TOKEN_PATH"

SECRET_WORDS = {
    "accesskey", "apikey", "authkey", "authorization", "bearer", "cookie", "credential", "credentials", "key",
    "passphrase", "passwd", "password", "pass", "pat", "pw", "pwd", "secret", "secretkey", "secrets", "sig",
    "signature", "token",
}  # fmt: skip
# `RAY_AUTH_TOKEN_PATH` is the location of a secret, `api_key_env` the name of its variable.
WORDS_ABOUT_SECRETS = {"dir", "env", "file", "id", "mode", "name", "path", "type"}
# Shorter values are placeholders like "none" and "EMPTY" for servers without keys.
SHORTEST_SECRET = 6
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_read_by_name: set[str] = set()


def cache_dir() -> Path:
    """`STARAGENTS_CACHE`: the folder for converted models. Default: the user's cache folder."""
    if path := os.environ.get("STARAGENTS_CACHE"):
        return Path(path).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "staragents"


def ray_address() -> str | None:
    """`RAY_ADDRESS`: the cluster to join. Unset or local: start a Ray instance that ends with the command."""
    address = os.environ.get("RAY_ADDRESS", "").strip()
    return None if address in ("", "local") else address


def debug() -> bool:
    """`STARAGENTS_DEBUG`: 1 shows the tracebacks of errors. Default: 0."""
    return os.environ.get("STARAGENTS_DEBUG", "0") not in ("", "0")


def set_debug() -> None:
    """Set `STARAGENTS_DEBUG` to 1."""
    os.environ["STARAGENTS_DEBUG"] = "1"


def verbose() -> bool:
    """`STARAGENTS_VERBOSE`: 1 logs details (DEBUG), also in the actors of a run. Default: 0."""
    return os.environ.get(VERBOSE, "0") not in ("", "0")


def set_verbose() -> None:
    """Set `STARAGENTS_VERBOSE` to 1. Processes of a local Ray inherit it."""
    os.environ[VERBOSE] = "1"


def working_dir() -> str | None:
    """`STARAGENTS_WORKING_DIR`: the command's working directory. A command sets it for its actors on a
    cluster."""
    return os.environ.get(WORKING_DIR)


def allows_long_contexts() -> bool:
    """`VLLM_ALLOW_LONG_MAX_MODEL_LEN`: 1 lets vLLM exceed the context that a model's config allows.
    Default: 0."""
    return os.environ.get("VLLM_ALLOW_LONG_MAX_MODEL_LEN", "0") not in ("", "0")


def secret(name: str) -> str | None:
    """The API key in the variable that a config field `*_env` names. Values read here are always redacted
    (`staragents.base.redaction`), whatever the variable's name. Without white space around it, as values read
    from files end with a newline; None if nothing is left."""
    if os.environ.get(name):
        _read_by_name.add(name)
    return os.environ.get(name, "").strip() or None


def hub_token() -> str | None:
    """`HF_TOKEN`: a Hugging Face hub token with write access."""
    return secret("HF_TOKEN")


def hub_address() -> str:
    """`HF_ENDPOINT`: the address of the model hub. Default: that of Hugging Face."""
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


@functools.lru_cache(maxsize=4096)
def names_secret(name: str) -> bool:
    """Whether the name of a variable, URL parameter or mapping key indicates a secret."""
    words = [word.lower() for word in _WORD.findall(name)]
    return bool(words) and words[-1] not in WORDS_ABOUT_SECRETS and not SECRET_WORDS.isdisjoint(words)


def secret_values() -> dict[str, str]:
    """Every secret known to this process and its source: variables read through `secret`, variables whose
    names indicate a secret, and Ray's token."""
    found: dict[str, str] = {}
    for name, value in os.environ.items():
        # PWD is the working directory.
        if name in _read_by_name or (names_secret(name) and name != "PWD"):
            found |= dict.fromkeys((value.strip(), *value.split()), name)
    if token := _ray_token():
        found[token.strip()] = str(ray_token_path())
    return {value: source for value, source in found.items() if len(value) >= SHORTEST_SECRET}


def ray_token_path() -> Path:
    """`RAY_AUTH_TOKEN_PATH`: the file with the cluster's Ray token. Default: `~/.ray/auth_token`."""
    return Path(os.environ.get(RAY_TOKEN_PATH) or os.path.expanduser("~/.ray/auth_token"))


def _ray_token() -> str | None:
    try:
        return _text(path := ray_token_path(), path.stat().st_mtime_ns)
    except (OSError, RuntimeError, UnicodeDecodeError):
        return None


@functools.lru_cache(maxsize=1)
def _text(path: Path, changed_ns: int) -> str:
    return path.read_text(encoding="utf-8")
