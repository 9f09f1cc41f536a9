"""Which sequences share a padded batch. Integers only."""

from __future__ import annotations

from collections.abc import Sequence


def pack(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices of `lengths` in batches whose padded size, longest x count, is at most `budget` tokens.

    Sorted by length, longest first: neighbours need little padding, and what does not fit into
    memory fails at once and not at the end. A sequence longer than the budget is a batch alone.
    """
    batches: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if room == 0:
            batches.append([])
            room = max(1, budget // max(1, lengths[index]))
        batches[-1].append(index)
        room -= 1
    return batches
