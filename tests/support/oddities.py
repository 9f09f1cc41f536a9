"""Malformed and hostile answers of servers, and the required outcome of each."""

from __future__ import annotations

import asyncio
import copy
import json
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection that an oddity is written to, and the honest answer that it replaces."""

    writer: asyncio.StreamWriter
    answer: dict[str, Any]

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


Reply = Callable[[Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Oddity:
    """`error` is part of the failure's message; with None the answer is used."""

    family: str
    reply: Reply
    error: str | None
    retryable: bool = True

    @property
    def outlasts(self) -> bool:
        """Only the timeout ends it."""
        return self.error is not None and self.error.startswith("no answer within")


def http(body: str | bytes = b"", status: int = 200, **headers: str) -> bytes:
    """A response with its length; `_` in a header's name stands for `-`, and an empty value removes it."""
    content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    fields = {"Content_Type": "application/json", "Content_Length": str(len(content))} | headers
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value]
    return "\r\n".join([f"HTTP/1.1 {status} Odd", *lines, "", ""]).encode("utf-8") + content


def sends(*parts: bytes) -> Reply:
    async def reply(connection: Connection) -> None:
        for part in parts:
            await connection.send(part)

    return reply


def hangs_after(*parts: bytes) -> Reply:
    async def reply(connection: Connection) -> None:
        await sends(*parts)(connection)
        await asyncio.sleep(3600)

    return reply


def resets_after(*parts: bytes) -> Reply:
    async def reply(connection: Connection) -> None:
        await sends(*parts)(connection)
        connection.writer.transport.abort()

    return reply


def repeats(head: bytes, part: bytes, times: int, pause_s: float = 0.0) -> Reply:
    async def reply(connection: Connection) -> None:
        await connection.send(head)
        for _ in range(times):
            await connection.send(part)
            await asyncio.sleep(pause_s)

    return reply


def edited(edit: Callable[[dict[str, Any]], Any], encoding: str = "utf-8") -> Reply:
    """The honest answer, edited in place; or the text returned by `edit` as the body."""

    async def reply(connection: Connection) -> None:
        answer = copy.deepcopy(connection.answer)
        changed = edit(answer)
        body = changed if isinstance(changed, str) else json.dumps(answer)
        await connection.send(http(body.encode(encoding, "surrogatepass")))

    return reply


def choice(**fields: Any) -> Reply:
    return edited(lambda answer: answer["choices"][0].update(fields))


def message(**fields: Any) -> Reply:
    return edited(lambda answer: answer["choices"][0]["message"].update(fields))


def usage(value: Any) -> Reply:
    return edited(lambda answer: answer["usage"].update(prompt_tokens=value, completion_tokens=value))


def logprob(value: Any) -> Reply:
    """The log-probability of every token and alternative."""

    def edit(answer: dict[str, Any]) -> None:
        for token in (answer["choices"][0]["logprobs"] or {"content": []})["content"]:
            for entry in (token, *token["top_logprobs"]):
                entry["logprob"] = value

    return edited(edit)


def without(*path: Any) -> Reply:
    def edit(answer: Any) -> None:
        for step in path[:-1]:
            answer = answer[step]
        del answer[path[-1]]

    return edited(edit)


def text_of(escaped: str) -> Reply:
    """The honest text with JSON escapes appended."""

    def edit(answer: dict[str, Any]) -> str:
        answer["choices"][0]["message"]["content"] += " MARK"
        return json.dumps(answer).replace("MARK", escaped)

    return edited(edit)


def failing(status: int, message: str = "no", **headers: str) -> Reply:
    return sends(http(json.dumps({"error": {"message": message}}), status, **headers))


def retry_after(value: str, status: int = 429) -> Reply:
    return failing(status, Retry_After=value)


def retry_date(seconds: float) -> Reply:
    async def reply(connection: Connection) -> None:
        await retry_after(formatdate(time.time() + seconds, usegmt=True))(connection)

    return reply


def redirect(location: str, status: int = 307) -> Reply:
    return sends(http(b"", status, Location=location))


def _bomb(window: int, layers: int = 1) -> bytes:
    """1 GiB of blanks: an independent block (full flush), repeated in one stream."""
    data = [b" " * MIB] * 1024
    for _ in range(layers):
        squeezed = zlib.compressobj(9, zlib.DEFLATED, window)
        first = squeezed.compress(data[0]) + squeezed.flush(zlib.Z_FULL_FLUSH)
        again = squeezed.compress(data[0]) + squeezed.flush(zlib.Z_FULL_FLUSH)
        data = [first + again * (len(data) - 1)]
    return data[0]


# 1 GiB in blocks of one repeated byte (RFC 8878, 3.1.1.2), and 64 MiB by brotli at its highest level.
ZSTD_BOMB = bytes.fromhex("28b52ffd0058") + (b"\x02\x00\x10 ") * 8191 + b"\x03\x00\x10 "
BROTLI_BOMB = bytes.fromhex(
    "cfffff7ff82700e2b14020f7fe9ffffffff04f00c4610180eefd3fffffffe19f0088c32200ddfb7ffeffffc33f0110870500baf7ff03"
)
BLANK, CHUNKED = b" " * 65536, {"Content_Length": "", "Transfer_Encoding": "chunked"}
HALF = b'{"choices": [{"finish_reason": "stop", "mess'
NESTED = b"[" * 30_000
HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>"
TOO_MANY_BYTES, NO_ANSWER, NOT_JSON = "bytes for the requested tokens", "no answer: ", "expected JSON"
API, LATE = "not an answer of the API", "no answer within"
STATUSES = {
    **dict.fromkeys((400, 405, 406, 410, 411, 413, 414, 415, 418, 422, 431, 451), False),
    **dict.fromkeys(
        (401, 403, 404, 408, 409, 421, 423, 425, 429, 500, 501, 502, 503, 504, 520, 599, 999), True
    ),
}

ODDITIES = {
    **{
        f"status {status}": Oddity("status", failing(status), f"status {status}", retryable)
        for status, retryable in STATUSES.items()
    },
    "status 204": Oddity("status", sends(http(b"", 204)), "got an empty body"),
    "status 304": Oddity("status", sends(http(b"", 304)), "redirect (304)"),
    "status 100 alone": Oddity("status", sends(b"HTTP/1.1 100 Continue\r\n\r\n"), NO_ANSWER),
    "status 100 over and over": Oddity(
        "status", repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 999, 20), NO_ANSWER
    ),
    "status 101": Oddity("status", sends(http(b"", 101)), NO_ANSWER),
    "status 000": Oddity("status", sends(b"HTTP/1.1 000 Odd\r\n\r\n"), NO_ANSWER),
    "no HTTP": Oddity("status", sends(b"220 mail.invalid ESMTP\r\n"), NO_ANSWER),
    "an error in HTML": Oddity("status", sends(http(HTML, 502)), "502 Bad Gateway"),
    "an error of surrogates": Oddity("status", failing(500, "\ud800\x00"), "status 500: \ufffd\u2400"),
    "an error without text": Oddity("status", sends(http(b"", 500)), "status 500: nothing more"),
    "an error cut off": Oddity(
        "status", sends(http(b"no", 400, Content_Length="99")), "status 400: no", False
    ),
    "an empty body": Oddity("body", sends(http(b"")), "got an empty body"),
    "white space": Oddity("body", sends(http(b" \r\n ")), "got an empty body"),
    "no JSON": Oddity("body", sends(http(b"Bonjour!")), "got 'Bonjour!' (application/json)"),
    "an HTML page": Oddity(
        "body", sends(http(HTML, Content_Type="text/html")), "got a web page: 502 Bad Gateway"
    ),
    "an event stream": Oddity("body", sends(http(b"data: {}\n\ndata: [DONE]\n\n")), "got 'data: {}"),
    "a list": Oddity("body", sends(http(b"[]")), "Expected `object`, got `array`"),
    "null": Oddity("body", sends(http(b"null")), "Expected `object`, got `null`"),
    "a number": Oddity("body", sends(http(b"7")), "Expected `object`, got `int`"),
    "half a JSON text": Oddity("body", sends(http(HALF)), NOT_JSON),
    "deep nesting": Oddity("body", sends(http(NESTED)), "nested too deeply"),
    "a number of 50,000 digits": Oddity("body", sends(http(b"9" * 50_000)), NOT_JSON),
    "keys twice": Oddity("body", edited(lambda a: '{"choices": 1,' + json.dumps(a)[1:]), None),
    "NaN elsewhere": Oddity("body", edited(lambda a: a.update(created=float("nan"))), None),
    "Latin-1": Oddity(
        "encoding", sends(http('{"choices": "é"}'.encode("latin-1"))), "expected JSON in UTF-8"
    ),
    "no UTF-8": Oddity("encoding", sends(http(b'{"choices": "\xff\xfe\xc0"}')), "expected JSON in UTF-8"),
    "UTF-16": Oddity("encoding", edited(lambda a: None, "utf-16"), None),
    "a byte order mark": Oddity("encoding", edited(lambda a: None, "utf-8-sig"), None),
    "half a pair, escaped": Oddity("encoding", text_of(r"\ud800 \udfff"), None),
    "half a pair, as bytes": Oddity("encoding", text_of("\ud83d"), None),
    "NUL and control characters": Oddity("encoding", text_of(r"\u0000\u0007\u001b[2J\u009b"), None),
    "half a pair as a key": Oddity("encoding", edited(lambda a: a.update({"\ud800": 1})), API),
    "half a pair as finish_reason": Oddity("encoding", choice(finish_reason="\ud800"), "got '\\ud800'"),
    "40 MB for 64 tokens": Oddity(
        "size", repeats(http(b"", Content_Length="40000000"), BLANK, 610), TOO_MANY_BYTES
    ),
    "40 MB of an error": Oddity(
        "size",
        repeats(http(b"", 400, Content_Length="40000000"), b"x" * 65536, 610),
        "status 400: xxx",
        False,
    ),
    "an endless body": Oddity("size", repeats(http(b"", Content_Length=""), BLANK, 9999), TOO_MANY_BYTES),
    "an endless body, slowly": Oddity("size", repeats(http(b"", Content_Length=""), b" ", 9999, 0.05), LATE),
    "chunks of 8 bytes": Oddity(
        "size", repeats(http(b"", **CHUNKED), b"8\r\n        \r\n" * 999, 99), TOO_MANY_BYTES
    ),
    "a huge header": Oddity("size", repeats(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536, 160), NO_ANSWER),
    "a million headers": Oddity("size", repeats(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 9999, 99), NO_ANSWER),
    "a gzip bomb": Oddity("size", sends(http(_bomb(31), Content_Encoding="gzip")), TOO_MANY_BYTES),
    "a deflate bomb": Oddity("size", sends(http(_bomb(15), Content_Encoding="deflate")), TOO_MANY_BYTES),
    "a bomb in an error": Oddity(
        "size", sends(http(_bomb(31), 500, Content_Encoding="gzip")), "status 500: nothing more"
    ),
    "a gzip bomb, twice": Oddity(
        "size", sends(http(_bomb(31, 2), Content_Encoding="gzip, gzip")), "without compression"
    ),
    "a brotli bomb": Oddity("size", sends(http(BROTLI_BOMB, Content_Encoding="br")), "without compression"),
    "a zstd bomb": Oddity("size", sends(http(ZSTD_BOMB, Content_Encoding="zstd")), "without compression"),
    "gzip that is none": Oddity("size", sends(http(b"{}", Content_Encoding="gzip")), "DecodingError"),
    "a length too small": Oddity("size", sends(http(HALF * 2, Content_Length="9")), NOT_JSON),
    "a length too large": Oddity("size", sends(http(HALF, Content_Length="999")), NO_ANSWER),
    "a negative length": Oddity("size", sends(http(HALF, Content_Length="-1")), NO_ANSWER),
    "a length in words": Oddity("size", sends(http(HALF, Content_Length="many")), NO_ANSWER),
    "a chunk of 16 EiB": Oddity("size", sends(http(b"FFFFFFFFFFFFFFFF\r\n", **CHUNKED)), NO_ANSWER),
    "no answer": Oddity("timing", hangs_after(), LATE),
    "a head alone": Oddity("timing", hangs_after(http(b"", Content_Length="99")), LATE),
    "half a body": Oddity("timing", hangs_after(http(HALF, Content_Length="99")), LATE),
    "100 Continue and no more": Oddity("timing", hangs_after(b"HTTP/1.1 100 Continue\r\n\r\n"), LATE),
    "byte by byte": Oddity("timing", repeats(http(b"", Content_Length="9999"), b" ", 9999, 0.05), LATE),
    "closed at once": Oddity("timing", sends(), NO_ANSWER),
    "closed in the head": Oddity("timing", sends(b"HTTP/1.1 200 OK\r\nConte"), NO_ANSWER),
    "closed in the body": Oddity("timing", sends(http(HALF, Content_Length="99")), NO_ANSWER),
    "reset at once": Oddity("timing", resets_after(), NO_ANSWER),
    "reset in the body": Oddity("timing", resets_after(http(HALF, Content_Length="99")), NO_ANSWER),
    "usage beyond int64": Oddity("numbers", usage(10**30), None),
    "usage of 300 digits": Oddity("numbers", usage(10**300), None),
    "negative usage": Oddity("numbers", usage(-5), None),
    "usage in parts": Oddity("numbers", usage(12.5), None),
    "usage as a text": Oddity("numbers", usage("12"), None),
    "usage NaN": Oddity("numbers", usage(float("nan")), None),
    "usage Infinity": Oddity("numbers", usage(float("inf")), None),
    "usage as true": Oddity("numbers", usage(True), None),
    "usage of nulls": Oddity("numbers", usage(None), None),
    "usage as a list": Oddity("numbers", edited(lambda a: a.update(usage=[1, 2])), None),
    "no usage": Oddity("numbers", without("usage"), None),
    "logprobs NaN": Oddity("numbers", logprob(float("nan")), None),
    "logprobs Infinity": Oddity("numbers", logprob(float("inf")), None),
    "logprobs -Infinity": Oddity("numbers", logprob(float("-inf")), None),
    "logprobs -1e308": Oddity("numbers", logprob(-1e308), None),
    "logprobs of 400 digits": Oddity("numbers", logprob(-(10**400)), None),
    "logprobs as texts": Oddity("numbers", logprob("-0.5"), None),
    "logprobs of another shape": Oddity("numbers", choice(logprobs={"content": [1, "a"]}), None),
    "logprobs as a number": Oddity("numbers", choice(logprobs=7), None),
    "finish_reason null": Oddity("finish reason", choice(finish_reason=None), None),
    "finish_reason tool_calls": Oddity("finish reason", choice(finish_reason="tool_calls"), None),
    "finish_reason error": Oddity("finish reason", choice(finish_reason="error"), "got 'error'"),
    "finish_reason content_filter": Oddity("finish reason", choice(finish_reason="content_filter"), None),
    "finish_reason unknown": Oddity("finish reason", choice(finish_reason="bored"), None),
    "finish_reason as a number": Oddity("finish reason", choice(finish_reason=1), "got 1"),
    "no finish_reason": Oddity("finish reason", without("choices", 0, "finish_reason"), None),
    "no choices": Oddity("fields", without("choices"), "missing required field `choices`"),
    "empty choices": Oddity("fields", edited(lambda a: a.update(choices=[])), "it has no choices"),
    "choices null": Oddity("fields", edited(lambda a: a.update(choices=None)), "it has no choices"),
    "choices as an object": Oddity("fields", edited(lambda a: a.update(choices={"0": 1})), "`$.choices`"),
    "a choice as a text": Oddity("fields", edited(lambda a: a.update(choices=["hi"])), "`$.choices[0]`"),
    "message null": Oddity("fields", choice(message=None), "its choice has no message"),
    "no message": Oddity("fields", without("choices", 0, "message"), "its choice has no message"),
    "content in parts": Oddity("fields", message(content=[{"type": "text"}]), "message.content`"),
    "content as a number": Oddity("fields", message(content=7), "message.content`"),
    "a refusal": Oddity(
        "fields", message(content=None, refusal="I'm sorry, but I can't help with that."), None
    ),
    "neither content nor refusal": Oddity("fields", message(content=None), None),
    "other fields too": Oddity(
        "fields", edited(lambda a: a.update(x={"y": [1, None]}, choices=a["choices"] * 2)), None
    ),
    "an error with status 200": Oddity(
        "fields", sends(http(b'{"error": {"message": "no"}}')), "status 200: no"
    ),
    "redirect to itself": Oddity("redirect", redirect("/v1/chat/completions"), "redirect (307) to /v1"),
    "redirect to another host": Oddity(
        "redirect", redirect("http://127.0.0.2:9/v1", 302), "redirect (302) to http://127.0.0.2"
    ),
    "redirect for good": Oddity("redirect", redirect("http://127.0.0.2:9/v1", 308), "redirect (308)", False),
    "redirect to a file": Oddity(
        "redirect", redirect("file:///etc/passwd", 301), "to file:///etc/passwd", False
    ),
    "redirect to the cloud's metadata": Oddity(
        "redirect", redirect("http://169.254.169.254/latest", 303), "redirect (303)"
    ),
    "redirect to nowhere": Oddity("redirect", sends(http(b"", 302)), "redirect (302) to nowhere"),
    "redirect to nonsense": Oddity("redirect", redirect("http://[::1\x7f", 302), "redirect (302)"),
    "Retry-After in seconds": Oddity("Retry-After", retry_after("1"), "pausing 1 s"),
    "Retry-After of a 503": Oddity("Retry-After", retry_after("0.5", 503), "pausing 0.5 s"),
    "Retry-After as a date": Oddity("Retry-After", retry_date(1.9), "pausing "),
    "Retry-After in the past": Oddity("Retry-After", retry_date(-99), "fewer requests, no"),
    "Retry-After of a day": Oddity("Retry-After", retry_after("86400"), "pausing 2.5 s"),
    "Retry-After of 400 digits": Oddity("Retry-After", retry_after("9" * 400), "pausing 2.5 s"),
    "Retry-After negative": Oddity("Retry-After", retry_after("-5"), "fewer requests, no"),
    "Retry-After nonsense": Oddity("Retry-After", retry_after("soon"), "fewer requests, no"),
    "Retry-After at no date": Oddity(
        "Retry-After", retry_after("Mon, 99 Foo 99999 99:99:99 GMT"), "fewer requests, no"
    ),
}
"""By name. Errors are those of a request with a timeout of 5 s."""

FAMILIES: dict[str, list[str]] = {}
for _name, _oddity in ODDITIES.items():
    FAMILIES.setdefault(_oddity.family, []).append(_name)
