"""The connection to a server: opened, and its failures as errors of an engine, without the key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from actors.engines.api_key import ApiKey
from actors.engines.http_client import HttpClient
from actors.engines.server_words import ServerWords
from staragents.base.errors import EngineDead, EngineError
from staragents.base.redaction import redacted
from staragents.config import ModelConfig
from staragents.validation.network_checks import given_certificates

# Words of the library for TLS.
_TLS_HINTS = {
    "WRONG_VERSION_NUMBER": ": the server may speak http instead of https (base_url)",
    "CERTIFICATE_VERIFY_FAILED": ": SSL_CERT_FILE names the certificates to trust",
}
PROXIES = "ALL_PROXY, HTTPS_PROXY or HTTP_PROXY"


def open_client(config: ModelConfig, key: ApiKey) -> HttpClient:
    """Open the client; reads the variables for proxies and certificates. Raises EngineDead."""
    try:
        return HttpClient(config.base_url or "", key.usable, config.max_ongoing)
    except OSError as error:  # does not name the file
        named = ", ".join(given_certificates()) or "the system's certificates"
        raise EngineDead(f"can't load {named}: {redacted(str(error))}") from None
    except Exception as error:  # an invalid address, or a scheme that needs another package
        raise EngineDead(f"can't use the proxy of {PROXIES}: {redacted(str(error))}") from None


@asynccontextmanager
async def guarded(words: ServerWords, deadline_s: float) -> AsyncIterator[None]:
    """Ends the block after `deadline_s`. A failed or invalid answer in it becomes an EngineError."""
    try:
        async with asyncio.timeout(deadline_s):
            yield
    except TimeoutError:
        raise EngineError(words.line(f"no answer within {deadline_s:g} s")) from None
    # `from None`, here and below: the text of the cause may contain the key.
    except httpx2.HTTPError as error:
        name = type(error).__name__
        hint = next((hint for said, hint in _TLS_HINTS.items() if said in str(error)), "")
        raise EngineError(words.line(f"no answer: {name}: {error}{hint}" if str(error) else name)) from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # BadAnswer, a prompt that can't be encoded, deep nesting
        raise EngineError(words.line(str(error))) from None
