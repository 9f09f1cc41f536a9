"""IFD of answers with reasoning under a real model: which scores must be equal, whatever the template."""

from __future__ import annotations

from dataclasses import replace

import pytest

from staragents.base.messages import Conversation, Message
from staragents.config import Convention, ScoredReasoning, Template
from staragents.scoring.ifd import Score, ScoreRow
from staragents.scoring.ifd_model import IfdModel

THOUGHT = "Seven is odd and three is odd.\nThe sum of two odd numbers is even."
TAGGED = f"<think>\n{THOUGHT}\n</think>\n\n"
EARLIER = (Message("user", "Hi"), Message("assistant", "Hello, what is it?", "A greeting. Be kind."))
ASK = Message("user", "Is the sum of 7 and 3 even?")
ANSWER = Message("assistant", "Yes, it is ten, and ten is even.", THOUGHT)
MODES = [
    (Template.plain, Convention.exact),
    (Template.alpaca, Convention.exact),
    (Template.chat, Convention.exact),
    (Template.plain, Convention.superfiltering),
]


def plain(messages: Conversation) -> Conversation:
    return tuple(replace(turn, reasoning_content=None) for turn in messages)


def equal(one: Score, other: Score) -> bool:
    """Apart from the last digits, which depend on the other rows of a batch."""
    nlls = (one.nll_cond, one.nll_direct)
    rest = replace(one, nll_cond=other.nll_cond, nll_direct=other.nll_direct)
    return rest == other and nlls == pytest.approx((other.nll_cond, other.nll_direct), rel=1e-5)


@pytest.mark.parametrize(("template", "convention"), MODES)
def test_equalities(smollm2: str, template: Template, convention: Convention) -> None:
    def scored(use: ScoredReasoning, *rows: Conversation) -> list[Score]:
        model = IfdModel(
            smollm2, template=template, convention=convention, reasoning=use, min_answer_tokens=1
        )
        return model.score([ScoreRow(row) for row in rows])

    row = (*EARLIER, ASK, ANSWER)
    bare = scored(ScoredReasoning.ignore, row, plain(row))
    assert equal(bare[0], bare[1])
    whole = (ASK, Message("assistant", TAGGED + ANSWER.content))
    both = scored(ScoredReasoning.both, (ASK, ANSWER), whole, plain(row))
    assert equal(both[0], both[1]), "reasoning and answer are one text"
    assert equal(both[2], bare[1]), "an answer without reasoning is scored as before"
    as_prompt = Message("user", f"{ASK.content}\n{TAGGED.removesuffix(chr(10))}")
    context = scored(
        ScoredReasoning.context,
        (ASK, ANSWER),
        (ASK, *plain((ANSWER,))),
        plain(row),
        (as_prompt, *plain((ANSWER,))),
    )
    after, before, _, prompted = context
    assert equal(context[2], bare[1])
    assert after.nll_cond != pytest.approx(before.nll_cond, rel=1e-2), "the reasoning is read"
    if template is Template.plain:
        assert equal(after, prompted), "the reasoning is part of the prompt"
    if convention is Convention.exact:
        assert after.nll_direct == pytest.approx(before.nll_direct, rel=1e-5)
        assert after.tokens == before.tokens < both[0].tokens
    assert after.answer_bytes == len(ANSWER.content.encode())
    assert both[0].answer_bytes == len((TAGGED + ANSWER.content).encode())
