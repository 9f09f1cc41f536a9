"""Any server with OpenAI's HTTP API: vLLM's, llama.cpp's, a vendor's."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import openai
from openai.types import Completion
from openai.types.chat import ChatCompletion

from staragents.config import ModelConfig
from staragents.environment import secret
from staragents.errors import EngineDead, EngineError, PromptTooLong
from staragents.generation import Generation, GenerationRequest, Sampling, TokenLogprobs
from staragents.messages import Message, as_dicts

logger = logging.getLogger(__name__)

PROBES = 3
PROBE_DEADLINE_S = 60.0
PROBE_PAUSE_S = 2.0
# A server that asks for more is as good as away.
LONGEST_PAUSE_S = 60.0
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = "ALL_PROXY, HTTPS_PROXY or HTTP_PROXY"
TOO_LONG = ("context length", "context_length", "context size", "maximum model length", "too many tokens")


class RequestRefused(EngineError):
    """The server calls this request wrong; it would do so again."""

    retryable = False


class OpenAIEngine:
    """Retries belong to the coordinator, so the client makes none.

    What the server says reaches errors and logs without the key, which some servers repeat.
    """

    kind = "openai"

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self._key = secret(config.api_key_env) if config.api_key_env else None
        self._client = self._opened()
        url = urlsplit(str(self._client.base_url))
        # Without user and password, should the address hold any.
        self._address = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}".rstrip("/")
        self._not_before = 0.0

    def _opened(self) -> openai.AsyncOpenAI:
        """Reads the variables for proxies and certificates. Raises EngineDead."""
        key, url = self._key or "none", self.config.base_url
        try:
            return openai.AsyncOpenAI(api_key=key, base_url=url, max_retries=0)
        except OSError as error:  # which does not say of which file
            given = [f"{name}={os.environ[name]}" for name in CERTIFICATES if name in os.environ]
            named = ", ".join(given) or "the system's certificates"
            raise EngineDead(f"can't load {named}: {self._line(error)}") from None
        except Exception as error:  # an address that is none, a scheme that needs one more package
            raise EngineDead(f"can't use the proxy of {PROXIES}: {self._line(error)}") from None

    async def start(self) -> None:
        """Let the server write one token. Raises EngineDead if it can't be reached or does not know us."""
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
        """Answer one request within its deadline.

        Raises PromptTooLong, EngineError (not retryable if the server calls the request wrong), or EngineDead
        if the server refuses the key or does not know the model.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(request.deadline_s):
                await asyncio.sleep(max(0.0, self._not_before - started))
                sent = time.monotonic()
                answer = await self._send(request)
        except TimeoutError:
            raise EngineError(f"{self._address}: no answer within {request.deadline_s:g} s") from None
        except openai.APIStatusError as error:
            # `from None`, here and below: the cause's text may hold the key.
            raise self._status_error(error) from None
        except (openai.APIError, ValueError) as error:
            raise EngineError(f"{self._address}: {self._line(error.__cause__ or error)}") from None
        try:
            return _generation(answer, time.monotonic() - sent)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # The client builds its objects without checking what came.
            raise EngineError(f"{self._address}: unreadable answer: {self._line(error)}") from None

    async def _send(self, request: GenerationRequest) -> ChatCompletion | Completion:
        sampling = request.sampling
        settings: dict[str, Any] = {
            "model": self.config.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": request.seed,
            "timeout": request.deadline_s,
        }
        if sampling.stop:
            settings["stop"] = list(sampling.stop)
        form = (
            {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": request.json_schema, "strict": True},
            }
            if request.json_schema
            else None
        )
        if request.messages is None:
            if request.top_logprobs:
                settings["logprobs"] = request.top_logprobs
            if form:
                # Not in OpenAI's API for raw prompts; vLLM knows it.
                settings["extra_body"] = {"response_format": form}
            settings["max_tokens"] = sampling.max_tokens
            return await self._client.completions.create(**settings, prompt=request.prompt or "")
        if request.top_logprobs:
            settings |= {"logprobs": True, "top_logprobs": request.top_logprobs}
        if form:
            settings["response_format"] = form
        # OpenAI's newer models refuse the old name, many other servers don't know the new one.
        limit = "max_tokens" if self.config.base_url else "max_completion_tokens"
        settings |= {limit: sampling.max_tokens, "messages": as_dicts(request.messages)}
        return await self._client.chat.completions.create(**settings)

    def _status_error(self, error: openai.APIStatusError) -> Exception:
        said = self._line(error)
        match error.status_code:
            case 401 | 403:
                return EngineDead(f"{self._address} refuses {self._key_name}: {said}")
            case 404:
                return EngineDead(f"{self._address} does not serve {self.config.model!r}: {said}")
            case 429:
                pause = _retry_after(error.response.headers)
                self._not_before = time.monotonic() + pause
                return EngineError(f"{self._address} wants fewer requests, pausing {pause:g} s: {said}")
            case 400 | 413 | 422 if any(words in str(error).lower() for words in TOO_LONG):
                return PromptTooLong(said)
            case 400 | 413 | 422:
                return RequestRefused(f"{self._address}: {said}")
        return EngineError(f"{self._address}: {said}")

    @property
    def _key_name(self) -> str:
        name = self.config.api_key_env
        if not name:
            return "a request without a key (api_key_env is not set)"
        return f"the key in {name}" if self._key else f"a request without a key ({name} is not set)"

    def _line(self, error: BaseException) -> str:
        """A server's text is somebody else's: one line, bounded, without our key."""
        text = " ".join(f"{error}".split()) or type(error).__name__
        return (text.replace(self._key, "***") if self._key else text)[:300]

    async def check(self) -> None:
        """A server that is away fails requests one by one; replacing this replica would not bring it back."""

    async def stop(self) -> None:
        await self._client.close()


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds the server asks us to wait, at most a minute; 0 if it names none. A date counts as none."""
    try:
        return min(LONGEST_PAUSE_S, max(0.0, float(headers.get("retry-after", 0))))
    except ValueError:
        return 0.0


def _generation(answer: ChatCompletion | Completion, seconds: float) -> Generation:
    choice = answer.choices[0]
    if choice.finish_reason not in ("stop", "length"):
        raise ValueError(f"expected finish_reason stop or length, got {choice.finish_reason!r}")
    if isinstance(answer, ChatCompletion):
        message = choice.message  # type: ignore[union-attr]
        text = message.content or message.refusal or ""
        logprobs = _chat_logprobs(choice.logprobs)
    else:
        text = choice.text  # type: ignore[union-attr]
        logprobs = _completion_logprobs(choice.logprobs)
    if not isinstance(text, str):
        raise TypeError(f"expected text, got {type(text).__name__}")
    usage = answer.usage
    return Generation(
        text=text,
        finish_reason=choice.finish_reason,
        tokens_in=int(usage.prompt_tokens or 0) if usage else 0,
        tokens_out=int(usage.completion_tokens or 0) if usage else len(logprobs),
        seconds=seconds,
        logprobs=logprobs,
    )


def _chat_logprobs(logprobs: Any) -> tuple[TokenLogprobs, ...]:
    if logprobs is None:
        return ()
    return tuple(
        TokenLogprobs(
            t.token, {t.token: float(t.logprob), **{o.token: float(o.logprob) for o in t.top_logprobs or ()}}
        )
        for t in logprobs.content or ()
    )


def _completion_logprobs(logprobs: Any) -> tuple[TokenLogprobs, ...]:
    if logprobs is None:
        return ()
    tops = logprobs.top_logprobs or [{}] * len(logprobs.tokens)
    return tuple(
        TokenLogprobs(token, {token: chosen, **(top or {})})
        for token, chosen, top in zip(logprobs.tokens, logprobs.token_logprobs, tops, strict=True)
    )
