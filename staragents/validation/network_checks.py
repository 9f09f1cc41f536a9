"""Checks the variables for proxies and certificates. A wrong one would fail later in a process of Ray, which
hides the reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from staragents.base.environment import hub_address
from staragents.base.loopback import is_on_loopback
from staragents.base.redaction import redacted
from staragents.config import Config, EngineKind

PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def check_network(config: Config) -> Iterator[str]:
    """The problems of the variables, if the config has a server on another machine."""
    if any(not is_on_loopback(address) for address in _addresses(config)):
        yield from network_problems()


def network_problems() -> Iterator[str]:
    """A line `VARIABLE: expected ..., got ...` for each one that no request could work with."""
    import httpx2

    for name in PROXIES:
        proxy = os.environ.get(name, "").strip()
        if not proxy:
            continue
        try:
            httpx2.Client(proxy=proxy if "://" in proxy else f"http://{proxy}", trust_env=False).close()
        except ImportError:
            yield (
                f"{name}: expected the proxy's http address, or the package socksio for {redacted(proxy)}: "
                "pip install socksio"
            )
        except (ValueError, TypeError, httpx2.InvalidURL) as error:
            wanted = "expected the address of a proxy such as http://10.0.0.5:3128"
            yield f"{name}: {wanted}, got {redacted(proxy)}: {redacted(str(error))}"
    try:
        # Reads the certificates only.
        httpx2.create_ssl_context()
    except OSError as error:  # does not name the file
        if given := given_certificates():
            name, _, path = given[0].partition("=")
            yield f"{name}: expected a file of certificates, got {path}: {error.strerror or error}"
        else:
            yield f"SSL_CERT_FILE: expected a file of certificates, as the system's fail: {error}"


def given_certificates() -> list[str]:
    """`VARIABLE=path` for each variable of certificates that is set."""
    return [f"{name}={os.environ[name]}" for name in CERTIFICATES if name in os.environ]


def _addresses(config: Config) -> Iterator[str]:
    for model in config.models.values():
        if model.kind is EngineKind.openai and model.base_url:
            yield model.base_url
    if config.memory.enabled and config.memory.url:
        yield config.memory.url
    if any(map(_is_on_the_hub, _models(config))):
        yield hub_address()


def _models(config: Config) -> Iterator[str]:
    yield from (model.model for model in config.models.values() if model.kind is EngineKind.vllm)
    yield from (scorer.model for scorer in (config.scoring.target, config.scoring.larger))
    if config.memory.enabled:
        yield config.memory.embedder


def _is_on_the_hub(model: str) -> bool:
    """Whether a model has to be downloaded."""
    from staragents.models.model_names import check_model
    from staragents.models.model_size import find_file
    from staragents.models.packaged_models import ALIASES, PACKAGED

    if model in ("", "fake") or model in PACKAGED or model in ALIASES or check_model(model):
        return False
    path = Path(model).expanduser()
    return not path.exists() and find_file(model, "config.json") is None
