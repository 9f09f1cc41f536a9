"""What one pass over the seeds finds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from staragents.base.records import Seed
from staragents.data.bad_rows import BadRows
from staragents.data.seed_digest import SeedDigest
from staragents.data.seed_row import SeedRow

SAMPLE_SEEDS = 3
_PLACE = re.compile("<(?:image|video|audio)>")
"""Where trainers put what a text is about."""


@dataclass(frozen=True, slots=True)
class SeedScan:
    """The result of one pass over the files, up to `seeds.limit`. `sha256` covers the conversations in order,
    `marks` those up to each that SeedDigest marks. `formats` counts seeds and `reasons` bad rows, most
    frequent first. `with_system` and `multi_turn` count seeds with a system prompt and seeds with turns
    before the last exchange, `with_reasoning` seeds that have what the assistant thought before an answer,
    `with_images` seeds whose text has a place for one."""

    seeds: int
    bad_rows: int
    duplicates: int
    sha256: str
    marks: bytes
    problems: tuple[str, ...]
    sample: tuple[Seed, ...]
    formats: dict[str, int]
    reasons: dict[str, int]
    with_system: int
    multi_turn: int
    with_reasoning: int
    with_images: int
    notes: tuple[str, ...] = ()
    """How files were read that could be read in several ways."""
    held_out: int = 0
    """Seeds that `seeds.hold_out` leaves out; in no other number but `duplicates`."""


class SeedTally:
    """Counts rows for a SeedScan."""

    def __init__(self) -> None:
        self.held_out = 0
        self.bad = BadRows()
        self._duplicates = 0
        self._digest = SeedDigest()
        self._sample: list[Seed] = []
        self._formats: Counter[str] = Counter()
        self._with_system = 0
        self._multi_turn = 0
        self._with_reasoning = 0
        self._with_images = 0

    @property
    def seeds(self) -> int:
        return self._digest.seeds

    def add(self, row: SeedRow, before: int) -> None:
        """A valid row; earlier files have `before` rows."""
        if row.repeated:
            self._duplicates += 1
            return
        if row.held_out:
            self.held_out += 1
            return
        self._digest.add(row.digest)
        self._formats[row.format] += 1
        has_system = row.messages[0].role == "system"
        self._with_system += has_system
        self._multi_turn += len(row.messages) > 2 + has_system
        has_reasoning = has_place = False
        for turn in row.messages:
            has_reasoning |= turn.reasoning_content is not None
            has_place |= "<" in turn.content and _PLACE.search(turn.content) is not None
        self._with_reasoning += has_reasoning
        self._with_images += has_place
        if len(self._sample) < SAMPLE_SEEDS:
            self._sample.append(row.seed(before))

    def result(self, notes: Iterable[str] = ()) -> SeedScan:
        return SeedScan(
            self.seeds,
            self.bad.count,
            self._duplicates,
            self._digest.sha256,
            bytes(self._digest.marks),
            tuple(self.bad.problems),
            tuple(self._sample),
            {str(found): count for found, count in self._formats.most_common()},
            dict(self.bad.reasons.most_common()),
            self._with_system,
            self._multi_turn,
            self._with_reasoning,
            self._with_images,
            tuple(notes),
            self.held_out,
        )
