"""The held-out prompts that students answer for the judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from staragents.base.errors import BadInput
from staragents.base.messages import Message
from staragents.base.records import stable_seed
from staragents.config import EvaluationConfig
from staragents.evaluation.held_out import HeldOut
from staragents.evaluation.student import Student


@dataclass(frozen=True, slots=True)
class JudgedPrompt:
    """A prompt as the tokens that a student continues: BOS and prompt, as in training."""

    conversation_id: str
    ids: tuple[int, ...]


def judged_prompts(
    held_out: Sequence[HeldOut], student: Student, settings: EvaluationConfig
) -> tuple[JudgedPrompt, ...]:
    """At most `settings.judged_prompts` different prompts that leave room for `settings.answer_tokens`, in
    the order of `held_out`.

    They are chosen by the hash of their conversation's id, so that they depend on no order and that a higher
    number only adds some. Raises BadInput if no prompt leaves room.
    """
    fitting: dict[tuple[int, ...], str] = {}
    for one in held_out:
        span = student.tokens((*one.prompt, Message("assistant", next(iter(one.answers.values())))))
        if span is not None and span.start + settings.answer_tokens <= student.max_length:
            fitting.setdefault(span.ids[: span.start], one.conversation_id)
    if not fitting:
        raise BadInput(
            f"evaluation.answer_tokens: expected a held-out prompt that leaves room for "
            f"{settings.answer_tokens} tokens within evaluation.max_length ({student.max_length}), got none"
        )
    drawn = sorted(fitting.values(), key=lambda name: (stable_seed("judged", name), name))
    chosen = set(drawn[: settings.judged_prompts])
    return tuple(JudgedPrompt(name, ids) for ids, name in fitting.items() if name in chosen)
