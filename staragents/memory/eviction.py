"""Which memories a full bank keeps: those that tell pairs apart where no other memory does."""

from __future__ import annotations

from collections.abc import Sequence

from staragents.config import Keep
from staragents.memory.memory import DIGITS, Memory

NEAR = 8
"""Number of nearest memories that may make another one redundant."""
ALIKE = 0.1
"""Rewards of a pair that differ by at most this say the same."""
ALONE = 0.5
"""What a single outcome tells: half of the largest difference that two can show."""


def worth(memory: Memory, near: Sequence[tuple[Memory, float]], keep: Keep) -> float:
    """In [0, 1], the lowest is evicted first: informativeness x (1 - redundancy with the `near` memories).

    `near` are the memories that were in the bank before, with their cosines. With `winners`, a memory tells
    its reward, and another memory of the same pair tells it to the degree of its cosine.
    """
    told = max((cosine * _shared(memory, other, keep) for other, cosine in near), default=0.0)
    return round(tells(memory.rewards, keep) * (1.0 - min(max(told, 0.0), 1.0)), DIGITS)


def tells(rewards: Sequence[float], keep: Keep) -> float:
    """The largest difference between the rewards of the drawn pairs: if all earned the same, the seed may
    have been easy or hard for everyone."""
    if keep is Keep.winners:
        return max(rewards, default=0.0)
    return max(rewards) - min(rewards) if len(rewards) > 1 else ALONE * len(rewards)


def _shared(memory: Memory, other: Memory, keep: Keep) -> float:
    """The share of the memory's pairs that have about the same reward in the other one."""
    known = dict(zip(other.pairs, other.rewards, strict=True))
    limit = 1.0 if keep is Keep.winners else ALIKE
    same = sum(
        pair in known and abs(known[pair] - reward) <= limit
        for pair, reward in zip(memory.pairs, memory.rewards, strict=True)
    )
    return same / len(memory.pairs) if memory.pairs else 1.0
