"""POST requests to an untrusted server, with a limit on the size of its answer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

# What every Python can decompress, in steps of at most 1 MiB. No lists of codings: a body compressed twice
# can keep the decoders busy for minutes before they return the first byte.
CODINGS = ("", "identity", "gzip", "deflate")


class BadAnswer(ValueError):
    """The server's answer does not conform to the API."""


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
        self._url = address.copy_with(username=None, password=None)
        self.address = f"{address.scheme}://{self._url.netloc.decode()}{address.path}".rstrip("/")
        """Without user, password and query."""
        headers = {"Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._client = httpx2.AsyncClient(
            auth=(address.username, address.password) if address.userinfo else None,
            headers=headers,
            # No cookies: a server could fill memory with them, and requests must not affect each other.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=None,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=connections),
            follow_redirects=False,
        )

    async def post(self, path: str, content: dict[str, Any], limit: int) -> Reply:
        """Reads at most `limit` bytes, counted after decompression.

        Raises BadAnswer if a successful answer is longer or has an unsupported compression, httpx2.HTTPError
        if the answer is incomplete.
        """
        url = self._url.copy_with(path=f"{self._url.path.rstrip('/')}/{path}")
        body = bytearray()
        async with self._client.stream("POST", url, json=content) as response:
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
