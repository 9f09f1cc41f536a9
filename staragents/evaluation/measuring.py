"""Losses of held-out answers under a student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from staragents.base.messages import Message
from staragents.config import EvaluationConfig, Template
from staragents.evaluation.cell import Loss
from staragents.evaluation.held_out import HeldOut
from staragents.scoring.ifd import ScoreRow, Status
from staragents.scoring.ifd_model import IfdModel


def held_out_losses(
    model: Any,
    tokenizer: Any,
    path: str,
    template: Template,
    held_out: Sequence[HeldOut],
    settings: EvaluationConfig,
) -> dict[str, dict[str, Loss]]:
    """Losses by conversation id, then by writer, of the answers that are not too long with their prompts.

    `model` is in evaluation mode and can't be used for anything else afterwards; `path` is where it came
    from. The answer has no EOS, as in scoring. Raises FloatingPointError if a loss is not finite.
    """
    scorer = IfdModel(
        path,
        loaded=(model, tokenizer),
        threads=max(1, round(settings.num_cpus)),
        template=template,
        max_length=settings.max_length,
        min_answer_tokens=1,
        section="evaluation",
    )
    asked = [(one, writer, answer) for one in held_out for writer, answer in one.answers.items()]
    rows = [ScoreRow((*one.prompt, Message("assistant", answer))) for one, _, answer in asked]
    losses: dict[str, dict[str, Loss]] = {}
    for (one, writer, _), score in zip(asked, scorer.score_with_prompt(rows), strict=True):
        if score.status is Status.nonfinite:
            raise FloatingPointError(f"the loss of held-out conversation {one.conversation_id} is not finite")
        if score.nll_cond is not None:
            loss = Loss(score.nll_cond, score.tokens, score.answer_bytes)
            losses.setdefault(one.conversation_id, {})[writer] = loss
    return losses
