"""Groups sequences into batches. Integers only."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence


def pack_padded(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices of `lengths` in batches whose padded size (longest x count) is at most `budget` tokens.

    Sorted by length, longest first: similar lengths need little padding, and a batch that exceeds memory
    fails early. A sequence longer than the budget forms its own batch.
    """
    batches: list[list[int]] = []
    room = 0
    for index in _longest_first(lengths):
        if room == 0:
            batches.append([])
            room = max(1, budget // max(1, lengths[index]))
        batches[-1].append(index)
        room -= 1
    return batches


def pack_documents(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices of `lengths` in packs of at most `budget` tokens each, by best-fit decreasing.

    Longest first, each into the fullest pack with enough room: at most 11/9 of the minimum number of packs,
    plus one (as first-fit decreasing; Johnson 1974). A sequence longer than the budget forms its own pack.
    """
    packs: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (tokens left, pack), sorted
    for index in _longest_first(lengths):
        slot = bisect_left(rooms, (lengths[index], 0))
        if slot == len(rooms):
            room, pack = budget, len(packs)
            packs.append([])
        else:
            room, pack = rooms.pop(slot)
        packs[pack].append(index)
        insort(rooms, (room - lengths[index], pack))
    return packs


def _longest_first(lengths: Sequence[int]) -> list[int]:
    return sorted(range(len(lengths)), key=lambda index: -lengths[index])
