"""Comparisons with a known answer, to measure a judge with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from staragents.base.messages import Conversation
from staragents.base.records import Seed, stable_seed

MIN_PARTS = 6
"""Words, or characters of a text without spaces. Of shorter responses, a part may be as good as the whole."""


class Harm(StrEnum):
    """How the response of a seed was degraded."""

    truncated = "truncated"
    """Its second half is missing."""
    shuffled = "shuffled"
    """Its words are in random order."""
    swapped = "swapped"
    """It is the response of another seed."""


@dataclass(frozen=True, slots=True)
class JudgeTrial:
    """A conversation with a harmed response, to be compared with the seed, which is better."""

    trial_id: str
    harm: Harm
    harmed: Conversation
    seed: Conversation


def judge_trials(seeds: Sequence[Seed]) -> Iterator[JudgeTrial]:
    """Up to three trials for each seed; none of a response that is too short to be harmed.

    The same seeds give the same trials. A response that the harm leaves as it was is left out.
    """
    for place, seed in enumerate(seeds):
        other = seeds[(place + 1) % len(seeds)].response
        parts, joint = _parts(seed.response)
        harmed = {Harm.swapped: other}
        if len(parts) >= MIN_PARTS:
            order = np.random.default_rng(stable_seed(seed.seed_id, "shuffled")).permutation(len(parts))
            harmed[Harm.truncated] = joint.join(parts[: len(parts) // 2])
            harmed[Harm.shuffled] = joint.join(parts[index] for index in order)
        for harm, response in harmed.items():
            if response.split() != seed.response.split():
                answer = replace(seed.messages[-1], content=response)
                yield JudgeTrial(f"{seed.seed_id}-{harm}", harm, (*seed.messages[:-1], answer), seed.messages)


def _parts(text: str) -> tuple[list[str], str]:
    """Words and the space between them; characters of a text in a script without spaces."""
    words = text.split()
    return (words, " ") if len(words) >= MIN_PARTS else (list(text.strip()), "")
