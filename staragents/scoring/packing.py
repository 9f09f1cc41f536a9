"""Which sequences run together. Integers only."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence


def pack_padded(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices of `lengths` in batches whose padded size, longest x count, is at most `budget` tokens.

    Sorted by length, longest first: neighbours need little padding, and what does not fit into
    memory fails at once and not at the end. A sequence longer than the budget is a batch alone.
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
    """Indices of `lengths` in packs whose sum is at most `budget` tokens, by best-fit decreasing.

    The longest first, each into the fullest pack that still has room: never more than 11/9 of the fewest
    packs possible plus one (as first-fit decreasing; Johnson 1974). A sequence longer than the budget is a
    pack alone.
    """
    packs: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (tokens left, pack), sorted
    for index in _longest_first(lengths):
        place = bisect_left(rooms, (lengths[index], 0))
        if place == len(rooms):
            room, pack = budget, len(packs)
            packs.append([])
        else:
            room, pack = rooms.pop(place)
        packs[pack].append(index)
        insort(rooms, (room - lengths[index], pack))
    return packs


def _longest_first(lengths: Sequence[int]) -> list[int]:
    return sorted(range(len(lengths)), key=lambda index: -lengths[index])
