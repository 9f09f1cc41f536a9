"""Any server with OpenAI's HTTP API: vLLM, llama.cpp, a vendor."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from dataclasses import replace
from typing import Any

from actors.engines.answer_finisher import AnswerFinisher
from actors.engines.api_key import ApiKey
from actors.engines.capabilities import MOST_TRIES, Capabilities
from actors.engines.http_client import Reply
from actors.engines.openai_answers import estimate, generation_of, most_bytes, most_bytes_of_events, tokens_of
from actors.engines.openai_request import asked_tokens, question
from actors.engines.openai_start import PROBE_TOKENS, Start
from actors.engines.rate_limits import RateLimits
from actors.engines.refusal_errors import NotReady, kind_of, line_of, setting_of
from actors.engines.refusals import PASSING, Refusal, content_of
from actors.engines.request_fallbacks import after_refusal, room_left
from actors.engines.retry_after import retry_after
from actors.engines.server_connection import guarded, open_client
from actors.engines.server_words import ServerWords
from staragents.base.errors import EngineDead, EngineError
from staragents.base.generation import Generation, GenerationRequest
from staragents.config import ModelConfig

logger = logging.getLogger(__name__)

PROBES = len(PROBE_TOKENS)
PROBE_PAUSE_S = 2.0
START_S = 120.0
"""How long a start waits for a server that is not ready (503), as while it loads its model."""
SILENCE_S = 60.0
"""How long requests that the server wants later are repeated after its last answer."""
AGAIN_S = 1.0
"""Most time before the first repetition."""
# A server that asks for a longer pause is treated as unavailable.
LONGEST_PAUSE_S = 60.0
# Of new tokens. In a context with less room the prompt is called too long.
LEAST_ROOM = 16


class OpenAIEngine:
    """Does not retry: the coordinator does. It only asks again in another form, after a refusal that names a
    part of the request which the server does not take.

    Server messages in errors and logs never contain the key, which some servers echo.
    """

    def __init__(self, config: ModelConfig, probes: tuple[GenerationRequest, ...] = ()) -> None:
        """`probes`: requests of the model's roles, with which `start` finds out what the server takes."""
        self.config = config
        self._key = ApiKey(config.api_key_env)
        self.client = open_client(config, self._key)
        self.words = ServerWords(self.client)
        # OpenAI's newer models reject the old name, many other servers don't know the new one.
        self.found = Capabilities(limit=int("//api.openai.com" in self.client.address))
        """What the server takes, as known so far."""
        self.reasons: dict[str, str] = {}
        """The server's words about each capability that it lacks."""
        self._finisher = AnswerFinisher(config, self.words)
        self._limits = RateLimits()
        self._last_answer = -math.inf
        self._start = Start(self, probes)

    async def start(self) -> None:
        """Ask every probe and find the form in which the server takes it. Raises EngineDead if the server is
        unreachable or takes none."""
        if self._key.problem:
            raise EngineDead(f"{self.config.api_key_env}: {self._key.problem}")
        attempt, is_waiting, give_up_at = 0, False, time.monotonic() + START_S
        while attempt < PROBES:
            try:
                await self._start.find(attempt)
                return
            except EngineError as error:
                problem = str(error)
                if not error.retryable:
                    break
                if not isinstance(error, NotReady) or time.monotonic() > give_up_at:
                    attempt += 1
                elif not is_waiting:
                    is_waiting = True
                    logger.warning("waiting up to %.0f s for %s", START_S, problem)
            if attempt < PROBES:
                await asyncio.sleep(PROBE_PAUSE_S * max(1, attempt))
        raise EngineDead(f"{self.config.model} did not answer a probe: {problem}")

    @property
    def has_answered(self) -> bool:
        """Whether the server has answered any request."""
        return self._last_answer > -math.inf

    @property
    def remarks(self) -> list[str]:
        """What the server does not take and what is done instead, a line each."""
        return [*self.found.remarks(self.reasons), *self.words.noted]

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer one request within its timeout.

        Raises PromptTooLong or EngineError, not retryable if the server calls the request invalid. Never
        raises EngineDead: another replica would ask the same server.
        """
        async with guarded(self.words, request.deadline_s):
            return await self._answered(request)

    async def _answered(self, request: GenerationRequest) -> Generation:
        found, room, checked = self.found, None, False
        reasons: dict[str, str] = {}
        answer, body = await self._in_turn(request, found)
        for _ in range(MOST_TRIES):
            if isinstance(answer, Generation):
                if not found.thinks and (answer.reasoning or answer.reasoning_tokens):
                    found = replace(found, thinks=True)
                    is_whole = answer.text.strip() and answer.finish_reason != "length"
                    if not is_whole and request.sampling.thinking_tokens:
                        # Again, with a budget for thinking and without stop strings.
                        answer, body = await self._in_turn(request, found, room)
                        continue
                elif not found.thinks and await self._start.hides_thought(request, answer, room):
                    found = replace(found, thinks=True)
                    answer, body = await self._in_turn(request, found, room)
                    continue
                self.adopt(found, reasons)
                return answer
            if answer.is_too_long and room is None and (room := _room(answer, body)):
                pass  # the same form with fewer new tokens
            elif (learnt := self.learn(request, found, answer, body)) is not None:
                found, changed = learnt
                reasons |= dict.fromkeys(changed, self.words.short(answer.said))
            elif not checked and _may_have_changed(answer) and await self._start.check_again():
                found, checked = self.found, True
            else:
                raise self.error_of(answer)
            answer, body = await self._in_turn(request, found, room)
        raise EngineError(self.words.line(f"no answer after {MOST_TRIES} forms of the request"))

    async def _in_turn(
        self, request: GenerationRequest, found: Capabilities, room: int | None = None
    ) -> tuple[Generation | Refusal, dict[str, Any]]:
        """`once`, repeated while the server wants fewer requests and answers others: its limit for all must
        not use up the retries of each."""
        tries = 0
        while True:
            answer, body = await self.once(request, found, room)
            if isinstance(answer, Generation):
                return answer, body
            is_limit = answer.status == 429 and not answer.is_about_quota
            if not is_limit or time.monotonic() - self._last_answer > SILENCE_S:
                return answer, body
            said = self.words.short(answer.said)
            self.words.note("wants fewer requests: they wait for their turn", f" (the server: {said})")
            # After its pause, not all at once.
            await asyncio.sleep(random.uniform(0.1, 1.0) * AGAIN_S * min(8.0, 2.0**tries))
            tries += 1

    async def once(
        self, request: GenerationRequest, found: Capabilities, room: int | None = None
    ) -> tuple[Generation | Refusal, dict[str, Any]]:
        """The answer to the request in one form, and the body that was sent. Raises BadAnswer and
        httpx2.HTTPError."""
        path, body = question(self.config, request, found, room)
        asked = asked_tokens(body) or request.sampling.max_tokens
        longest_s = min(LONGEST_PAUSE_S, request.deadline_s / 2)
        ticket = await self._limits.turn(tokens_of(request) + asked, longest_s)
        sent = time.monotonic()
        reply = await self.client.post(path, body, most_bytes(request), most_bytes_of_events(request))
        seconds = time.monotonic() - sent
        self._limits.observe(reply.headers, ticket)
        refusal = content_of(reply)
        if not isinstance(refusal, Refusal):
            answer = generation_of(refusal, request, asked, seconds, self.words.note)
            self._last_answer = time.monotonic()
            return self._finisher.finished(answer, request, found), body
        if refusal.is_cut_off:
            return Generation("", "length", tokens_of(request), asked, seconds, reasoning_tokens=asked), body
        if refusal.written is not None:
            # An answer that breaks the schema: the judge's parser may read it, and counts it if not.
            tokens_out = estimate(refusal.written)
            return Generation(refusal.written, "stop", tokens_of(request), tokens_out, seconds), body
        if refusal.is_filtered and not refusal.is_about_quota:
            return Generation("", "content_filter", tokens_of(request), 0, seconds), body
        return self._paused(refusal, reply, longest_s), body

    def learn(
        self, request: GenerationRequest, found: Capabilities, refusal: Refusal, body: dict[str, Any]
    ) -> tuple[Capabilities, list[str]] | None:
        """The form to send next, and the capabilities that changed. None if the refusal does not help."""
        if not refusal.rejects_request or refusal.is_about_quota or setting_of(refusal, self.config):
            return None
        return after_refusal(found, body, refusal, lambda form: question(self.config, request, form)[1])

    def adopt(self, found: Capabilities, reasons: dict[str, str]) -> None:
        """Use what an answer has confirmed for all later requests; log what is new."""
        before = set(self.found.remarks({}))
        self.found = self.found.joined(found)
        self.reasons = reasons | self.reasons
        for plain, line in zip(self.found.remarks({}), self.found.remarks(self.reasons), strict=True):
            if plain not in before:
                logger.warning("%s: %s", self.client.address, line)

    def _paused(self, refusal: Refusal, reply: Reply, longest_s: float) -> Refusal:
        """The refusal, with the pause that it demands begun."""
        if refusal.status not in (429, 503) or refusal.is_about_quota:
            return refusal
        # Leave waiting requests half of their timeout: one such answer must not fail them all.
        pause_s = min(longest_s, retry_after(reply.headers, time.time()) or refusal.wait_s)
        self._limits.pause(pause_s)
        return replace(refusal, pause_s=pause_s)

    def error_of(self, refusal: Refusal, more: str = "") -> EngineError:
        """The error for a refused request; `more` is added to its line."""
        line = line_of(refusal, self.config.model, self._key.described, setting_of(refusal, self.config))
        return kind_of(refusal)(self.words.line(line) + more)

    async def check(self) -> None:
        """An unavailable server fails its requests one by one; replacing this replica would not help."""

    async def stop(self) -> None:
        await self.client.close()


def _room(refusal: Refusal, body: dict[str, Any]) -> int | None:
    room = room_left(refusal, asked_tokens(body))
    return room if room is not None and room >= LEAST_ROOM else None


def _may_have_changed(refusal: Refusal) -> bool:
    """Whether the server may no longer take what it took at the start."""
    # Gateways choose between servers that take different parameters.
    is_passing = refusal.status in PASSING and "parameter" not in refusal.said.lower()
    is_client_error = 400 <= refusal.status < 500 and not is_passing
    return is_client_error and not refusal.is_too_long and not refusal.is_about_quota
