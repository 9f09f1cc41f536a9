"""What difference an evaluation can see."""

from __future__ import annotations

import math
from dataclasses import dataclass

from staragents.evaluation.bootstrap import LEAST, LEVEL, Floats, freedom_of, student

POWER = 0.8
ASSUMED_CONVERSATION_SD = 0.05
"""Of a conversation's paired difference between two arms, in nats per token; assumed before anything is
measured."""
ASSUMED_TRAINING_SD = 0.005
"""Of the mean difference between training seeds, in nats per token; assumed before anything is measured."""


@dataclass(frozen=True, slots=True)
class Power:
    """`difference`: the true difference in nats per token that is found, with an interval without 0, in 80 %
    of repeats. None if there is no interval, as conversations are fewer than `LEAST`."""

    difference: float | None
    conversations: int
    training_seeds: int
    arms: int
    """Arms compared with one reference."""
    conversation_sd: float
    """Standard deviation of a conversation's difference, as the mean over training seeds."""
    training_sd: float
    """Standard deviation of the mean difference between training seeds."""
    measured: bool
    """Whether the deviations were measured; otherwise they are assumed."""

    def __str__(self) -> str:
        source = "measured" if self.measured else "assumed"
        measured = (
            f"{self.conversations} conversation{'s' if self.conversations != 1 else ''} and "
            f"{self.training_seeds} training seed{'s' if self.training_seeds > 1 else ''}"
        )
        if self.difference is None:
            return f"{measured} can detect no difference: intervals take at least {LEAST} conversations"
        return (
            f"{measured} can detect differences of {self.difference:.3f} nats per token ({POWER:.0%} power, "
            f"{self.arms} arms compared, {source} standard deviations: {self.conversation_sd:.3f} between "
            f"conversations, {self.training_sd:.4f} between training seeds)"
        )


def power_of(
    conversations: int,
    training_seeds: int,
    arms: int,
    conversation_sd: float = ASSUMED_CONVERSATION_SD,
    training_sd: float = ASSUMED_TRAINING_SD,
    measured: bool = False,
    confidence: float = LEVEL,
) -> Power:
    """The power before the work starts, with Bonferroni's correction for `arms` arms."""
    difference = None
    if conversations >= LEAST:
        variances = (training_sd**2 / training_seeds, conversation_sd**2 / conversations)
        freedom = freedom_of(zip(variances, (arms * (training_seeds - 1), conversations - 1), strict=True))
        quantiles = student((1 - confidence) / max(arms, 1), freedom) + student(2 * (1 - POWER), freedom)
        difference = round(quantiles * math.sqrt(sum(variances)), 6)
    return Power(
        difference,
        conversations,
        training_seeds,
        arms,
        round(conversation_sd, 6),
        round(training_sd, 6),
        measured,
    )


def measured_power(differences: Floats, confidence: float = LEVEL) -> Power:
    """The power with the deviations of measured differences from one reference, shape (arms, training seeds,
    conversations), as means over the arms. Between fewer than two of either, the assumed deviation stays."""
    arms, seeds, conversations = differences.shape
    by_conversation, by_seed = ASSUMED_CONVERSATION_SD, ASSUMED_TRAINING_SD
    if conversations > 1:
        by_conversation = math.sqrt(differences.mean(axis=1).var(axis=1, ddof=1).mean())
    if seeds > 1:
        by_seed = math.sqrt(differences.mean(axis=2).var(axis=1, ddof=1).mean())
    return power_of(
        conversations, seeds, arms, by_conversation, by_seed, seeds > 1 < conversations, confidence
    )
