"""What a server takes of a model's requests, as found by asking."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

FORMS: dict[str, tuple[str, ...]] = {
    "system": ("", "system text is put before the first user turn"),
    "limit": ("", "max_completion_tokens is sent instead of max_tokens", "no token limit is sent"),
    "seed": ("", "no seed is sent: a repeated run gets other texts"),
    "temperature": (
        "",
        "temperature is sent within 0.01 to 1",
        "no temperature is sent: the model samples at its own",
    ),
    "top_p": ("", "top_p is left out where it is 1", "no top_p is sent"),
    "stop": ("", "no stop is sent: answers are cut here"),
    "schema": (
        "",
        "the schema is sent without lengths",
        "JSON mode is used instead of the schema",
        "neither schema nor JSON mode is used: verdicts are read from plain text",
    ),
    "logprobs": ("", "no log-probabilities: verdicts use only their label"),
    "thinking": (
        "",
        "reasoning is switched by reasoning_effort",
        "reasoning_effort is low, as the server can't switch reasoning off",
        "reasoning is switched by thinking.type",
        "reasoning is switched by enable_thinking; auto means off",
        "no switch for reasoning is sent",
    ),
}
"""By capability: the forms in which it is sent, from what was asked for to what any server takes, and what
the user reads about each."""

LEAST_EFFORT = 2
"""The form of `thinking` for models that always think."""
# More than there are forms to step through.
MOST_TRIES = 24
LIMITED = {"most_logprobs": "logprobs", "most_tokens": "limit"}
"""The capability that a maximum belongs to."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The form of each capability, a number into FORMS, and limits; the default takes everything as it is."""

    system: int = 0
    limit: int = 0
    seed: int = 0
    temperature: int = 0
    top_p: int = 0
    stop: int = 0
    schema: int = 0
    logprobs: int = 0
    thinking: int = 0
    least_tokens: int = 1
    """Minimum of the limit of new tokens."""
    most_tokens: int = 0
    """Maximum of the limit of new tokens; 0 if there is none."""
    most_logprobs: int = 0
    """Maximum of top_logprobs; 0 if there is none."""
    thinks: bool = False
    """Whether answers came with reasoning, so that requests need a budget for it."""

    def form(self, name: str) -> int:
        return int(getattr(self, name))

    def with_form(self, name: str, form: int) -> Capabilities:
        changes: dict[str, Any] = {name: form}
        return replace(self, **changes)

    def joined(self, other: Capabilities) -> Capabilities:
        """What both allow, if two requests learnt at the same time."""
        least: dict[str, Any] = {
            f.name: max(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)
        }
        for name in ("most_tokens", "most_logprobs"):
            least[name] = min((n for n in (self.form(name), other.form(name)) if n), default=0)
        return Capabilities(**least)

    def remarks(self, reasons: dict[str, str]) -> list[str]:
        """One line for each deviation, with the server's own words where `reasons` has them."""
        lines = {name: forms[self.form(name)] for name, forms in FORMS.items()}
        if self.most_logprobs and not self.logprobs:
            lines["most_logprobs"] = f"top_logprobs is at most {self.most_logprobs}"
        if self.most_tokens:
            lines["most_tokens"] = f"answers and reasoning together have at most {self.most_tokens:,} tokens"
        return [
            line + (f" (the server: {reason})" if (reason := reasons.get(LIMITED.get(name, name))) else "")
            for name, line in lines.items()
            if line
        ]


_LAST_FORMS: dict[str, Any] = {name: len(forms) - 1 for name, forms in FORMS.items()}
PLAINEST = Capabilities(**_LAST_FORMS, least_tokens=16)
"""What any server takes that takes the model and the prompt."""
