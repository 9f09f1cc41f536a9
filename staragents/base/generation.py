"""The interface between agents and generation engines."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from staragents.base.messages import Conversation
from staragents.text.storable import storable

# Rounding may exceed 0 slightly; the lower bound is that of a float.
_LOGPROBS = (-1e308, 0.01)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters. `max_tokens` counts new tokens of the answer; a model that thinks may use
    `thinking_tokens` more. Temperature 0 is greedy."""

    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    thinking_tokens: int = 0


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One completion. Exactly one of `messages` (chat template) and `prompt` (raw text) is set."""

    request_id: str
    sampling: Sampling
    seed: int
    messages: Conversation | None = None
    prompt: str | None = None
    json_schema: dict[str, Any] | None = None
    top_logprobs: int = 0
    deadline_s: float = 600.0

    @property
    def prompt_text(self) -> str:
        """The prompt without a chat template."""
        return self.prompt or "\n".join(message.content for message in self.messages or ())


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """A generated token's text and the most likely tokens at its position, log-probabilities in nats.

    Drops alternatives with an invalid log-probability (NaN, above 0, a string), whatever the server.
    """

    text: str
    top: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(
            [
                (type(value) is float and _LOGPROBS[0] <= value <= 0.0) or _is_logprob(value)
                for value in self.top.values()
            ]
        ):
            known = {text: value for text, value in self.top.items() if _is_logprob(value)}
            object.__setattr__(self, "top", known)


@dataclass(frozen=True, slots=True)
class Generation:
    """An engine's output. `seconds` is the time the request spent in the engine.

    `text` is the answer without what the model thought before it, which is `reasoning`; both are made
    storable on construction. `tokens_out` counts all generated tokens, `reasoning_tokens` those of the
    reasoning, and `logprobs` begin with the answer.
    """

    text: str
    finish_reason: Literal["stop", "length", "content_filter"]
    tokens_in: int
    tokens_out: int
    seconds: float
    logprobs: tuple[TokenLogprobs, ...] = ()
    reasoning: str = ""
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", storable(self.text))
        object.__setattr__(self, "reasoning", storable(self.reasoning))


class Engine(Protocol):
    """Generates text for all agents that name its model. Implemented in `actors`: vllm, openai, recorded,
    fake."""

    async def start(self) -> None:
        """Load the model and generate one token, as a hung engine must not look healthy (vllm#53157)."""

    async def generate(self, request: GenerationRequest) -> Generation:
        """Raises EngineError if this request fails, EngineDead if no request can succeed any more."""
        ...

    async def check(self) -> None:
        """Raises EngineDead if the engine can't serve requests."""

    async def stop(self) -> None:
        """Free the engine's resources, including child processes."""


def _is_logprob(value: Any) -> bool:
    least, most = _LOGPROBS
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and (least <= value <= most or value == -math.inf)
