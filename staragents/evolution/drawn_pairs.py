"""The pairs that a run draws from, which change when agents are added or retired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from staragents.config import Config

SAVED = "drawn_pairs"
"""The key of a run's state."""


@dataclass(frozen=True, slots=True)
class DrawnPairs:
    """The pairs between two changes: seeds from number `drawn` on, from 0, draw from `pairs`, not `retired`.

    Their policy took over what the earlier one had learnt from `learnt` seeds; 0 if it began without, as
    after a repair.
    """

    pairs: tuple[str, ...]
    retired: tuple[str, ...]
    drawn: int = 0
    learnt: int = 0

    @classmethod
    def of(cls, config: Config, drawn: int = 0, learnt: int = 0) -> DrawnPairs:
        pairs = config.drawn_pairs
        retired = config.retired_pairs
        return cls(tuple(pairs), tuple(pair for pair in pairs if pair in retired), drawn, learnt)

    @classmethod
    def read(cls, saved: Mapping[str, Any]) -> DrawnPairs:
        """From `state`."""
        return cls(tuple(saved["pairs"]), tuple(saved["retired"]), saved["drawn"], saved["learnt"])

    def state(self) -> dict[str, Any]:
        return asdict(self)

    def same(self, other: DrawnPairs) -> bool:
        return (self.pairs, self.retired) == (other.pairs, other.retired)


def drawn_pairs_of(state: Mapping[str, Any]) -> list[DrawnPairs]:
    """From a run's state, in order; none where an earlier version saved it, or without a checkpoint."""
    return [DrawnPairs.read(saved) for saved in state.get(SAVED, ())]


def continued(state: Mapping[str, Any], config: Config) -> list[DrawnPairs]:
    """Those of a state, and those of `config` if a run that resumes from it draws from others, or by a policy
    that has not learnt what the earlier one had: without a checkpoint, seeds are committed again."""
    learnt = "evolution" in state
    before = drawn_pairs_of(state) or ([_of_earlier_version(state)] if learnt else [])
    if not before:
        return [DrawnPairs.of(config)]
    cursor, last = state["cursor"], before[-1]
    now = DrawnPairs.of(config, drawn=cursor + len(state.get("pending", ())), learnt=cursor)
    return before if last.same(now) and (learnt or not last.learnt) else [*before, now]


def with_kept(pairs: Sequence[DrawnPairs], seed: int) -> list[DrawnPairs]:
    """The same, where seed number `seed` keeps the draw that was made before the last change."""
    *before, last = pairs
    return [*before, replace(last, drawn=max(last.drawn, seed + 1))]


def _of_earlier_version(state: Mapping[str, Any]) -> DrawnPairs:
    """The pairs that the policy in the state knows."""
    pairs = tuple(state["evolution"]["policy"]["rewards"])
    retired = set(state["config"]["agents"]["retired"])
    out = (pair for pair in pairs if retired & {pair, pair.partition("+")[0], pair.partition("+")[2]})
    return DrawnPairs(pairs, tuple(out))


def periods(saved: Sequence[DrawnPairs], config: Config) -> list[DrawnPairs]:
    """`saved`; if nothing was saved, the pairs of `config` from the first seed on."""
    return list(saved) or [DrawnPairs.of(config)]
