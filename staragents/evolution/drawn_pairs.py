"""The pairs that a run draws from, which change when agents are added or retired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from staragents.config import Config

SAVED = "drawn_pairs"
"""The key of a run's state."""


@dataclass(frozen=True, slots=True)
class DrawnPairs:
    """The pairs between two changes: seeds from number `drawn` on, from 0, draw from `pairs`, not `retired`.

    Their policy took over what the earlier one had learnt from `learnt` seeds.
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
    """Those of a state with a checkpoint, and those of `config` if a run that resumes from it draws from
    others."""
    before = drawn_pairs_of(state) or [_of_earlier_version(state)]
    cursor = state["cursor"]
    now = DrawnPairs.of(config, drawn=cursor + len(state.get("pending", ())), learnt=cursor)
    return before if before[-1].same(now) else [*before, now]


def _of_earlier_version(state: Mapping[str, Any]) -> DrawnPairs:
    """The pairs that the policy in the state knows."""
    pairs = tuple(state["evolution"]["policy"]["rewards"])
    retired = set(state["config"]["agents"]["retired"])
    out = (pair for pair in pairs if retired & {pair, pair.partition("+")[0], pair.partition("+")[2]})
    return DrawnPairs(pairs, tuple(out))


def periods(saved: Sequence[DrawnPairs], config: Config) -> list[DrawnPairs]:
    """`saved`; if nothing was saved, the pairs of `config` from the first seed on."""
    return list(saved) or [DrawnPairs.of(config)]
