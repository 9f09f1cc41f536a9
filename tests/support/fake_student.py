"""A student without a model, for tests of what is planned and chosen before any is trained."""

from __future__ import annotations

from dataclasses import dataclass

from staragents.base.messages import Conversation
from staragents.config import Template
from staragents.scoring.conventions import Span


@dataclass(frozen=True)
class FakeStudent:
    """A token per word, its length, between 0 and 1; at most `max_length` of them."""

    max_length: int
    path: str = "fake"
    template: Template = Template.plain
    revision: str | None = None
    identity: str = "id"
    thought_end: int | None = None

    def tokens(self, messages: Conversation) -> Span | None:
        prompt = [len(word) for turn in messages[:-1] for word in turn.content.split()]
        answer = [len(word) for word in messages[-1].content.split()]
        ids = (0, *prompt, *answer, 1)[: self.max_length]
        return Span(ids, len(prompt) + 1) if len(ids) > len(prompt) + 1 else None
