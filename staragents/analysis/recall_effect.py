"""What the memory bank did to one draw, in numbers and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from staragents.evolution.policy import DrawContext, Neighbour

NOTICEABLE = 0.005
"""Change of a probability."""
NAMED = 3


@dataclass(frozen=True, slots=True)
class Change:
    """A pair's probability of being drawn without and with what was recalled."""

    pair: str
    without: float
    with_memory: float

    @property
    def size(self) -> float:
        return self.with_memory - self.without


@dataclass(frozen=True, slots=True)
class Similar:
    """A remembered instruction. `instruction` is None if it can't be told: it may be that of an earlier
    run."""

    similarity: float
    outcomes: tuple[Neighbour, ...]
    instruction: str | None = None


@dataclass(frozen=True, slots=True)
class RecallEffect:
    """`nearest` are the most similar instructions, `changes` all pairs by falling size of the change."""

    outcomes: int
    readings: Mapping[str, float]
    """What the recalled outcomes say (`DrawContext.readings`)."""
    nearest: tuple[Similar, ...]
    changes: tuple[Change, ...]

    @classmethod
    def of(
        cls,
        context: DrawContext,
        without: Mapping[str, float],
        with_memory: Mapping[str, float],
        instructions: Mapping[Neighbour, str] | None = None,
    ) -> RecallEffect:
        """`without` and `with_memory` are the pairs' probabilities; `instructions` those of some outcomes."""
        changes = [Change(pair, without.get(pair, 0.0), now) for pair, now in with_memory.items()]
        return cls(
            context.outcomes,
            dict(context.readings),
            tuple(_similar(context.neighbours, instructions or {})),
            tuple(sorted(changes, key=lambda change: (-abs(change.size), change.pair))),
        )

    @property
    def raised(self) -> list[Change]:
        return [change for change in self.changes if change.size > NOTICEABLE]

    @property
    def lowered(self) -> list[Change]:
        return [change for change in self.changes if change.size < -NOTICEABLE]

    def sentences(self) -> list[str]:
        """What recall did, for a user."""
        if not self.outcomes:
            return ["Memory: nothing was recalled, so the draw knew only what pairs earn in general."]
        nearest = f", the most similar at cosine {self.nearest[0].similarity:.2f}" if self.nearest else ""
        said = [f"Memory: {self.outcomes} outcomes on similar instructions were recalled{nearest}."]
        said += self._about_readings()
        moved = [
            f"{word} {_named(changes)}"
            for word, changes in (("raised", self.raised), ("lowered", self.lowered))
            if changes
        ]
        if moved:
            said.append(f"This {' and '.join(moved)} (probability without -> with what was recalled).")
        else:
            said.append("This changed no probability noticeably.")
        return said

    def _about_readings(self) -> list[str]:
        ordered = sorted(self.readings.items(), key=lambda item: (-abs(item[1]), item[0]))
        named = [
            f"{_subject(name)} ({reading:+.2f})" for name, reading in ordered if abs(reading) > NOTICEABLE
        ]
        if not named:
            return []
        shown = f"{', '.join(named[:NAMED])}{' and others' if len(named) > NAMED else ''}"
        return [f"How much more or less than usual was earned on them, before the policy weighs it: {shown}."]


def _subject(name: str) -> str:
    """A reading's subject: a pair, or one agent of several pairs (`KernelReading.agents`)."""
    if name.endswith("+"):
        return f"pairs with instruction agent {name[:-1]}"
    return f"pairs with response agent {name[1:]}" if name.startswith("+") else name


def _similar(neighbours: Sequence[Neighbour], instructions: Mapping[Neighbour, str]) -> list[Similar]:
    """Neighbours of equal similarity that stand next to each other are outcomes of one instruction."""
    found: list[Similar] = []
    for one in neighbours:
        known = instructions.get(one)
        last = found[-1] if found else None
        # Two instructions with equal similarity would have the same pairs or different texts.
        if (
            last is not None
            and last.similarity == one.similarity
            and one.pair not in {other.pair for other in last.outcomes}
        ):
            found[-1] = Similar(one.similarity, (*last.outcomes, one), last.instruction or known)
        else:
            found.append(Similar(one.similarity, (one,), known))
    return found


def _named(changes: Sequence[Change]) -> str:
    shown = [
        f"{change.pair} ({change.without:.2f} -> {change.with_memory:.2f})" for change in changes[:NAMED]
    ]
    more = f" and {len(changes) - NAMED} more" if len(changes) > NAMED else ""
    return ", ".join(shown) + more
