"""Requests to an untrusted server, with a limit on the size of its answer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

from actors.engines.server_address import base_path
from staragents.base.loopback import is_loopback

# What every Python can decompress, in steps of at most 1 MiB. No lists of codings: a body compressed twice
# can keep the decoders busy for minutes before they return the first byte.
CODINGS = ("", "identity", "gzip", "deflate")
EVENT_STREAM = "text/event-stream"
# Azure reads a key only from its own header, unless it is a token of its directory.
KEY_HEADER = {".azure.com": "api-key", ".azure-api.net": "api-key"}


class BadAnswer(ValueError):
    """The server's answer does not conform to the API."""


class NotTheApi(BadAnswer):
    """The answer is none of the API's at all, such as a web page."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and body; the body of an error may be truncated."""

    status: int
    headers: httpx2.Headers
    body: bytes

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300


class HttpClient:
    """Callers enforce timeouts by cancelling. Redirects are not followed: only `url` gets the key."""

    def __init__(self, url: str, key: str | None, connections: int) -> None:
        address = httpx2.URL(url)
        self._secrets = [secret for secret in (key, address.password) if secret]
        # Keep user and password out of the address, which the library logs.
        self._url = address.copy_with(username=None, password=None, path=base_path(address.path) or "/")
        headers = {"Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
            headers |= {name: key for host, name in KEY_HEADER.items() if address.host.endswith(host)}
        loopback = is_loopback(address.host)
        # Reads no certificates where none are needed: they may be missing.
        verify = address.scheme != "http" or not loopback
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=connections)
        self._client = httpx2.AsyncClient(
            auth=(address.username, address.password) if address.userinfo else None,
            headers=headers,
            # No cookies: a server could fill memory with them, and requests must not affect each other.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=None,
            # A transport of our own ignores proxies: none may come between us and this machine, whatever
            # NO_PROXY says.
            transport=httpx2.AsyncHTTPTransport(verify=verify, limits=limits) if loopback else None,
            verify=verify,
            limits=limits,
            follow_redirects=False,
        )

    @property
    def path(self) -> str:
        """The path that all requests begin with, without a slash at its end."""
        return self._url.path.rstrip("/")

    @path.setter
    def path(self, path: str) -> None:
        self._url = self._url.copy_with(path=path or "/")

    @property
    def address(self) -> str:
        """Without user, password and query."""
        return f"{self._url.scheme}://{self._url.netloc.decode()}{self.path}"

    async def post(self, path: str, content: dict[str, Any], limit: int, of_events: int = 0) -> Reply:
        """Reads at most `limit` bytes, of a stream of events `of_events`, counted after decompression.

        Raises BadAnswer if a successful answer is longer or has an unsupported compression, httpx2.HTTPError
        if the answer is incomplete.
        """
        return await self._send("POST", path, limit, content, of_events)

    async def get(self, path: str, limit: int) -> Reply:
        """As `post`."""
        return await self._send("GET", path, limit, None)

    async def _send(
        self, method: str, path: str, limit: int, content: dict[str, Any] | None, of_events: int = 0
    ) -> Reply:
        url = self._url.copy_with(path=f"{self.path}/{path}")
        body = bytearray()
        async with self._client.stream(method, url, json=content) as response:
            if response.headers.get("content-type", "").startswith(EVENT_STREAM):
                limit = max(limit, of_events)
            try:
                await self._read(response, body, limit)
            except (BadAnswer, httpx2.HTTPError):
                # For an error, the status matters more than an intact body.
                if response.is_success:
                    raise
            return Reply(response.status_code, response.headers, bytes(body))

    @staticmethod
    async def _read(response: httpx2.Response, body: bytearray, limit: int) -> None:
        coding = response.headers.get("content-encoding", "").strip().lower()
        if coding not in CODINGS:
            raise BadAnswer(f"expected a body without compression, got Content-Encoding {coding!r}")
        async with aclosing(response.aiter_bytes()) as chunks:
            async for chunk in chunks:
                if len(body) + len(chunk) > limit:
                    body += chunk[: limit - len(body)]
                    raise BadAnswer(f"expected at most {limit:,} bytes for the requested tokens, got more")
                body += chunk
                # Chunks already received arrive without a pause: let other tasks and the timeout run.
                await asyncio.sleep(0)

    def redact(self, text: str) -> str:
        """Remove the key and the password of the address, which some servers echo."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def close(self) -> None:
        await self._client.aclose()
