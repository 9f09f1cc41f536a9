"""Finds out at start, with the real requests of a model's roles, what its server takes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx2

from actors.engines.capabilities import FORMS, LEAST_EFFORT, LIMITED, MOST_TRIES, PLAINEST, Capabilities
from actors.engines.http_client import BadAnswer, NotTheApi
from actors.engines.openai_request import precedence, question
from actors.engines.refusals import Refusal
from actors.engines.request_fallbacks import FEW_LOGPROBS
from actors.engines.server_address import other_paths
from actors.engines.server_connection import guarded
from actors.engines.server_models import nearest, served_models
from staragents.base.errors import EngineError
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import ModelConfig, Reasoning

if TYPE_CHECKING:
    from actors.engines.openai_engine import OpenAIEngine

PROBE_DEADLINE_S = 60.0
PROBE_TOKENS = (16, 256, 1024)
"""Maximum new tokens of a probe, by attempt: enough for minimum limits and to see whether a model thinks."""
MOST_CHECKS = 3
MOST_LOOKS = 2
"""Cut-off answers that are asked for again to see whether they are thoughts."""


class Start:
    """Sends each probe in the form that the server takes, learning from its refusals; if they name nothing,
    by leaving out everything and adding one capability after the other."""

    def __init__(self, engine: OpenAIEngine, probes: tuple[GenerationRequest, ...]) -> None:
        self._engine = engine
        self._probes = probes or (hello(engine.config),)
        self._unanswered = list(self._probes)
        self._is_last = False
        """Whether no attempt follows, in which an error of the server may have passed."""
        self._started = False
        self._checks = 0
        self._checking = asyncio.Lock()
        self._looks = 0
        self._looking = asyncio.Lock()
        self._reachable = False
        self._is_switched = False

    async def find(self, attempt: int = 0) -> None:
        """Ask all probes. Raises EngineError."""
        for line in precedence(self._engine.config):
            self._engine.words.note(line)
        self._is_last = attempt == len(PROBE_TOKENS) - 1
        while self._unanswered:
            await self._ask(self._limited(self._unanswered[0], attempt))
            # Another attempt does not ask it again: the server may allow few requests.
            self._unanswered.pop(0)
        self._started = True

    async def check_again(self) -> bool:
        """Ask all probes again, after an unexplained refusal during the run. Whether the server takes
        something in another form than before. At most MOST_CHECKS times, as a request may be refused for its
        text."""
        before = self._engine.found
        async with self._checking:
            if self._engine.found != before:
                return True
            if not self._started or self._checks >= MOST_CHECKS:
                return False
            self._checks += 1
            try:
                for probe in self._probes:
                    await self._ask(self._limited(probe, 0))
            except EngineError:
                return False
        return self._engine.found != before

    async def hides_thought(self, request: GenerationRequest, answer: Generation, room: int | None) -> bool:
        """Whether a cut-off answer is the beginning of a thought whose opening tag is in the prompt. Only its
        closing tag tells, so the first such requests are sent again with the budget of a thought."""
        engine, sampling = self._engine, request.sampling
        is_off = engine.config.reasoning is Reasoning.off or request.messages is None
        if answer.finish_reason != "length" or not answer.text or not sampling.thinking_tokens or is_off:
            return False
        async with self._looking:
            if engine.found.thinks or self._looks >= MOST_LOOKS:
                return engine.found.thinks
            self._looks += 1
            found = replace(engine.found, thinks=True)
            try:
                longer, _ = await engine.once(request, found, room)
            except (BadAnswer, httpx2.HTTPError):
                return False
            if not isinstance(longer, Generation) or not _thinks(longer):
                return False
            engine.adopt(found, {})
            return True

    def _limited(self, probe: GenerationRequest, attempt: int) -> GenerationRequest:
        """The probe with few tokens: that of a role would write a whole answer, and think before it."""
        most = PROBE_TOKENS[min(attempt, len(PROBE_TOKENS) - 1)]
        tokens = most if attempt else min(probe.sampling.max_tokens, most)
        sampling = replace(probe.sampling, max_tokens=tokens, thinking_tokens=0)
        return replace(probe, sampling=sampling, deadline_s=PROBE_DEADLINE_S)

    async def _ask(self, probe: GenerationRequest) -> None:
        """Raises the errors of `OpenAIEngine.generate`."""
        async with guarded(self._engine.words, probe.deadline_s):
            await self._answered(probe)

    async def _answered(self, probe: GenerationRequest) -> None:
        engine = self._engine
        found, reasons = engine.found, dict[str, str]()
        answer = await self._reached(probe, found)
        for _ in range(MOST_TRIES):
            if isinstance(answer, Generation):
                engine.adopt(await self._switched(probe, found, answer), reasons)
                return
            learnt = engine.learn(probe, found, answer, question(engine.config, probe, found)[1])
            if learnt is None:
                said = engine.words.short(answer.said)
                found, answer = await self._eliminated(probe, answer)
                reasons |= {name: said for name in FORMS if not _is_same(name, found, engine.found)}
                continue
            found, changed = learnt
            reasons |= dict.fromkeys(changed, engine.words.short(answer.said))
            answer, _ = await engine.once(probe, found)
        raise EngineError(engine.words.line(f"no answer after {MOST_TRIES} forms of the request"))

    async def _reached(self, probe: GenerationRequest, found: Capabilities) -> Generation | Refusal:
        """The first answer. If `base_url` is not the address of the API, it is looked for where servers have
        it."""
        client = self._engine.client
        answer = await self._unless_page(probe, found)
        if self._reachable or not _is_elsewhere(answer):
            self._reachable = True
        else:
            given = client.path
            for client.path in other_paths(given):
                other = await self._unless_page(probe, found)
                if not _is_elsewhere(other):
                    self._reachable = True
                    self._engine.words.note(f"is reached at {client.address}, as no API answers at base_url")
                    answer = other
                    break
            else:
                client.path = given
        if isinstance(answer, NotTheApi):
            raise NotTheApi(f"{answer} (base_url)") from None
        if isinstance(answer, BadAnswer):
            raise answer
        return answer

    async def _unless_page(
        self, probe: GenerationRequest, found: Capabilities
    ) -> Generation | Refusal | BadAnswer:
        try:
            return (await self._engine.once(probe, found))[0]
        except BadAnswer as error:
            return error

    async def _eliminated(
        self, probe: GenerationRequest, refusal: Refusal
    ) -> tuple[Capabilities, Generation]:
        """What the server takes, found without its help: the plainest form, and whatever it takes beside it.
        Raises the error of `refusal` if it does not take even that."""
        engine, first = self._engine, self._engine.found
        is_passing = refusal.status == 403 or (refusal.status == 500 and not self._is_last)
        is_elsewhere = refusal.is_wrong_address and not engine.has_answered
        is_other = is_passing or is_elsewhere or refusal.is_about_quota or refusal.is_too_long
        if is_other or not refusal.rejects_request:
            raise await self._error(refusal)
        for limit in range(first.limit, len(FORMS["limit"])):
            found = PLAINEST.with_form("limit", limit)
            answer, _ = await engine.once(probe, found)
            if isinstance(answer, Generation):
                break
        else:
            raise await self._error(refusal)
        for name in FORMS:
            for tried in _fuller(name, first, found):
                if question(engine.config, probe, tried) == question(engine.config, probe, found):
                    found = tried  # this request does not tell
                    break
                other, _ = await engine.once(probe, tried)
                if isinstance(other, Generation):
                    found, answer = tried, other
                    break
        return found, answer

    async def _switched(
        self, probe: GenerationRequest, found: Capabilities, answer: Generation
    ) -> Capabilities:
        """With the switch for reasoning that has an effect: servers ignore fields that they don't know. If
        nothing turns reasoning off, with the least effort."""
        engine, wanted = self._engine, self._engine.config.reasoning
        if wanted is Reasoning.auto or probe.messages is None or self._is_switched:
            return replace(found, thinks=found.thinks or _thinks(answer))
        self._is_switched = True
        if wanted is Reasoning.on and answer.finish_reason == "length" and not _thinks(answer):
            # A thought whose opening tag is part of the prompt shows only at its end.
            longer = replace(probe, sampling=replace(probe.sampling, max_tokens=PROBE_TOKENS[-1]))
            whole, _ = await engine.once(longer, found)
            answer = whole if isinstance(whole, Generation) else answer
        tried, least = found, found
        while _thinks(answer) is not (wanted is Reasoning.on) and tried.thinking + 2 < len(FORMS["thinking"]):
            tried = tried.with_form("thinking", tried.thinking + 1)
            other, _ = await engine.once(probe, tried)
            if isinstance(other, Generation) and _thinks(other) is (wanted is Reasoning.on):
                return replace(tried, thinks=_thinks(other))
            if isinstance(other, Generation) and wanted is Reasoning.off and tried.thinking == LEAST_EFFORT:
                least = tried
        if _thinks(answer) is not (wanted is Reasoning.on):
            shown = "its answers show no reasoning" if wanted is Reasoning.on else "the model thinks"
            engine.words.note(
                f"has no switch for reasoning that works: reasoning={wanted.value}, but {shown}"
            )
        return replace(least, thinks=_thinks(answer))

    async def _error(self, refusal: Refusal) -> EngineError:
        """The error of the refusal; if the server does not list the model, with those that it lists."""
        engine, listed = self._engine, ""
        if refusal.status in (400, 404, 422):
            names = list(await served_models(engine.client))
            if names and engine.config.model not in names:
                listed = f"; the server lists {engine.words.short(nearest(engine.config.model, names))}"
        return engine.error_of(refusal, listed)


def hello(config: ModelConfig) -> GenerationRequest:
    """A request of one token, for a model without a role."""
    text: dict[str, Any] = {"messages": (Message("user", "Hello"),)} if config.chat else {"prompt": "Hello"}
    return GenerationRequest("probe", Sampling(temperature=0.0, max_tokens=1), seed=0, **text)


def _fuller(name: str, first: Capabilities, found: Capabilities) -> Iterator[Capabilities]:
    """`found` with more of the capability, at most as much as in `first`; most first."""
    for form in range(first.form(name), found.form(name)):
        yield found.with_form(name, form)
    if name == "logprobs" and not first.logprobs and found.logprobs:
        yield replace(found.with_form(name, 0), most_logprobs=first.most_logprobs or FEW_LOGPROBS)


def _is_same(name: str, one: Capabilities, other: Capabilities) -> bool:
    limits = [limit for limit, limited in LIMITED.items() if limited == name]
    return all(one.form(part) == other.form(part) for part in (name, *limits))


def _is_elsewhere(answer: Generation | Refusal | BadAnswer) -> bool:
    return isinstance(answer, NotTheApi) or (isinstance(answer, Refusal) and answer.is_wrong_address)


def _thinks(answer: Generation) -> bool:
    return bool(answer.reasoning or answer.reasoning_tokens)
