"""What the judge compares: two answers to one held-out prompt."""

from __future__ import annotations

from dataclasses import dataclass

from staragents.agents.verdict import is_identical
from staragents.base.messages import Conversation, Message
from staragents.base.records import stable_id


@dataclass(frozen=True, slots=True)
class AnswerPair:
    """`answer` is a trained student's, `untrained` that of the student before training."""

    conversation_id: str
    prompt: Conversation
    answer: str
    untrained: str

    @property
    def pair_id(self) -> str:
        """The same for students that answer alike, so that a judge is asked once about them."""
        return stable_id("answers", self.conversation_id, self.answer, self.untrained)

    @property
    def candidate(self) -> Conversation:
        return (*self.prompt, Message("assistant", self.answer))

    @property
    def baseline(self) -> Conversation:
        return (*self.prompt, Message("assistant", self.untrained))

    @property
    def is_tie(self) -> bool:
        """Whether there is nothing to compare."""
        return is_identical(self.candidate, self.baseline)
