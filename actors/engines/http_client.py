"""One POST to a server that is not ours, with a bound on all that it may send back."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

# What every Python can decompress, in steps of at most 1 MiB. Lists of codings are left out: a body that is
# compressed twice can keep its decoders busy for minutes before the first byte comes out.
CODINGS = ("", "identity", "gzip", "deflate")


class BadAnswer(ValueError):
    """The server answered, and it is not what the API says."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and the body, which is cut off if the status is an error's."""

    status: int
    headers: httpx2.Headers
    body: bytes

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300


class HttpClient:
    """Deadlines are the caller's, by cancelling. No redirect is followed, so the key goes to `url` alone."""

    def __init__(self, url: str, key: str | None, connections: int) -> None:
        address = httpx2.URL(url)
        self._secrets = [secret for secret in (key, address.password) if secret]
        # User and password apart from the address, which the library logs.
        self._url = address.copy_with(username=None, password=None)
        self.address = f"{address.scheme}://{self._url.netloc.decode()}{address.path}".rstrip("/")
        """Without user, password and query."""
        headers = {"Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._client = httpx2.AsyncClient(
            auth=(address.username, address.password) if address.userinfo else None,
            headers=headers,
            # No jar: a server could fill it, and the cookies of one answer are no business of the next.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=None,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=connections),
            follow_redirects=False,
        )

    async def post(self, path: str, content: dict[str, Any], limit: int) -> Reply:
        """Reads at most `limit` bytes, counted after decompression.

        Raises BadAnswer if a success is longer or compressed in a way nobody asked for, httpx2.HTTPError if
        there is no whole answer.
        """
        url = self._url.copy_with(path=f"{self._url.path.rstrip('/')}/{path}")
        body = bytearray()
        async with self._client.stream("POST", url, json=content) as response:
            try:
                await self._read(response, body, limit)
            except (BadAnswer, httpx2.HTTPError):
                # An error's status says more than the text that comes with it.
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
                    raise BadAnswer(f"expected at most {limit:,} bytes for the tokens asked for, got more")
                body += chunk
                # Chunks that have arrived come without a pause: let others run, and the deadline pass.
                await asyncio.sleep(0)

    def redact(self, text: str) -> str:
        """The text without the key and the address's password, which some servers repeat."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def close(self) -> None:
        await self._client.aclose()
