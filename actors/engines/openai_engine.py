"""Any server with OpenAI's HTTP API: vLLM, llama.cpp, a vendor."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import Any

import httpx2

from actors.engines.http_client import BadAnswer, HttpClient, Reply
from actors.engines.openai_answers import ContentFiltered, most_bytes, parsed, read_generation
from actors.engines.retry_after import retry_after
from staragents.base.environment import secret
from staragents.base.errors import EngineDead, EngineError, PromptTooLong
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Message, as_dicts
from staragents.base.redaction import redacted
from staragents.config import ModelConfig
from staragents.text.printable import printable

logger = logging.getLogger(__name__)

PROBES = 3
PROBE_DEADLINE_S = 60.0
PROBE_PAUSE_S = 2.0
# A server that asks for a longer pause is treated as unavailable.
LONGEST_PAUSE_S = 60.0
LONGEST_LINE = 300
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = "ALL_PROXY, HTTPS_PROXY or HTTP_PROXY"
TOO_LONG = ("context length", "context_length", "context size", "maximum model length", "too many tokens")
# The client errors (4xx) that a retry may resolve; the others mean that the request itself is wrong. Errors
# about key and model are included: a gateway that returns them occasionally must not fail rows, and if they
# persist, the rate of failed candidates ends the run.
PASSING = (401, 403, 404, 408, 409, 421, 423, 425, 429)
MOVED = (301, 308)


class RequestRefused(EngineError):
    """The server rejects this request, and would reject a retry."""

    retryable = False


class OpenAIEngine:
    """Does not retry: the coordinator does.

    Server messages in errors and logs never contain the key, which some servers echo.
    """

    kind = "openai"

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        # Keys read from files end with a newline, which is invalid in a header.
        key = (secret(config.api_key_env) or "").strip() if config.api_key_env else ""
        self._has_key = bool(key)
        self._key_fits = key.isascii() and key.isprintable()
        self._client = self._opened(key if key and self._key_fits else None)
        self._address = self._client.address
        self._not_before = 0.0
        self._noted: set[str] = set()

    def _opened(self, key: str | None) -> HttpClient:
        """Open the client; reads the variables for proxies and certificates. Raises EngineDead."""
        try:
            return HttpClient(self.config.base_url or "", key, self.config.max_ongoing)
        except OSError as error:  # does not name the file
            given = [f"{name}={os.environ[name]}" for name in CERTIFICATES if name in os.environ]
            named = ", ".join(given) or "the system's certificates"
            raise EngineDead(f"can't load {named}: {redacted(str(error))}") from None
        except Exception as error:  # an invalid address, or a scheme that needs another package
            raise EngineDead(f"can't use the proxy of {PROXIES}: {redacted(str(error))}") from None

    async def start(self) -> None:
        """Generate one token. Raises EngineDead if the server is unreachable or rejects the request."""
        if not self._key_fits:
            name = self.config.api_key_env
            raise EngineDead(f"{name}: expected a key of printable ASCII characters, got other characters")
        hello: dict[str, Any] = (
            {"messages": (Message("user", "Hello"),)} if self.config.chat else {"prompt": "Hello"}
        )
        probe = GenerationRequest(
            "probe", Sampling(temperature=0.0, max_tokens=1), seed=0, deadline_s=PROBE_DEADLINE_S, **hello
        )
        for attempt in range(PROBES):
            if attempt:
                await asyncio.sleep(PROBE_PAUSE_S * attempt)
            try:
                await self.generate(probe)
                return
            except EngineError as error:
                problem = str(error)
                if not error.retryable:
                    break
        raise EngineDead(f"{self.config.model} did not answer a probe: {problem}")

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer one request within its timeout.

        Raises PromptTooLong or EngineError, not retryable if the server calls the request invalid. Never
        raises EngineDead: another replica would ask the same server.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(request.deadline_s):
                await asyncio.sleep(max(0.0, self._not_before - started))
                sent = time.monotonic()
                path, body = self._question(request)
                reply = await self._client.post(path, body, most_bytes(request))
            if not reply.succeeded:
                raise self._status_error(reply, request.deadline_s)
            return read_generation(reply, request, time.monotonic() - sent, self._note)
        except TimeoutError:
            raise EngineError(f"{self._address}: no answer within {request.deadline_s:g} s") from None
        # `from None`, here and above: the text of the cause may contain the key.
        except httpx2.HTTPError as error:
            name = type(error).__name__
            raise EngineError(self._line(f"no answer: {name}: {error}" if str(error) else name)) from None
        except ContentFiltered:
            raise RequestRefused(f"{self._address}: the server's content filter stopped the answer") from None
        except ValueError as error:  # BadAnswer, or a prompt that can't be encoded
            raise EngineError(self._line(str(error))) from None

    def _question(self, request: GenerationRequest) -> tuple[str, dict[str, Any]]:
        """Path and body of the request."""
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self.config.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": request.seed,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if request.json_schema:
            # For raw prompts this is not in OpenAI's API, but vLLM supports it.
            schema = {"name": "answer", "schema": request.json_schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if request.messages is None:
            if request.top_logprobs:
                body["logprobs"] = request.top_logprobs
            return "completions", body | {"max_tokens": sampling.max_tokens, "prompt": request.prompt or ""}
        if request.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
        # OpenAI's newer models reject the old name, many other servers don't know the new one.
        limit = "max_completion_tokens" if "//api.openai.com" in self._address else "max_tokens"
        return "chat/completions", body | {limit: sampling.max_tokens, "messages": as_dicts(request.messages)}

    def _status_error(self, reply: Reply, deadline_s: float) -> EngineError:
        status, said = reply.status, _said(reply)
        if 300 <= status < 400:
            to = reply.headers.get("location", "nowhere")
            line = f"expected an answer, got a redirect ({status}) to {to}, which is not followed (base_url)"
            return (RequestRefused if status in MOVED else EngineError)(self._line(line))
        if status in (429, 503):
            # Leave waiting requests half of their timeout: one such answer must not fail them all.
            pause = min(LONGEST_PAUSE_S, deadline_s / 2, retry_after(reply.headers, time.time()))
            self._not_before = max(self._not_before, time.monotonic() + pause)
            said = f"pausing {pause:g} s: {said}" if pause else said
        if status in (400, 413, 422) and any(words in _text(reply).lower() for words in TOO_LONG):
            return PromptTooLong(self._line(said))
        meaning = {
            401: f"the server rejects {self._key_name}: ",
            403: f"the server rejects {self._key_name}: ",
            404: f"the server does not serve {self.config.model!r}: ",
            429: "the server wants fewer requests, ",
        }.get(status, "")
        wrong = 400 <= status < 500 and status not in PASSING
        return (RequestRefused if wrong else EngineError)(self._line(f"status {status}: {meaning}{said}"))

    @property
    def _key_name(self) -> str:
        name = self.config.api_key_env
        if not name:
            return "a request without a key (api_key_env is not set)"
        return f"the key in {name}" if self._has_key else f"a request without a key ({name} is not set)"

    def _line(self, text: str) -> str:
        """The server's untrusted text as one printable line of limited length, without our key."""
        text = printable(" ".join(self._client.redact(text).split()))
        return f"{self._address}: {text[:LONGEST_LINE]}"

    def _note(self, text: str) -> None:
        """Log it once."""
        if text not in self._noted:
            self._noted.add(text)
            logger.warning("%s %s", self._address, text)

    async def check(self) -> None:
        """An unavailable server fails its requests one by one; replacing this replica would not help."""

    async def stop(self) -> None:
        await self._client.close()


def _text(reply: Reply) -> str:
    return reply.body.decode("utf-8", "replace")


def _said(reply: Reply) -> str:
    """The message in an error's body, or the whole body if none is found."""
    try:
        content = parsed(reply)
    except BadAnswer:
        return _text(reply).strip() or "nothing more"
    error = content.get("error", content) if isinstance(content, dict) else content
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return str(error)
