"""Winners of earlier runs that a new run remembers from its start."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.base.messages import last_exchange
from staragents.run_directory.run_directory import RunDirectory


@dataclass(frozen=True, slots=True, order=True)
class Winner:
    """A chosen candidate; its instruction is embedded again, so the embedder may differ."""

    reward: float
    candidate_id: str
    seed_id: str
    pair: str
    instruction: str


def winners(folders: Sequence[str], pairs: Container[str], min_reward: float, limit: int) -> list[Winner]:
    """The `limit` best winners of the given run directories whose pairs exist in this run, best first.

    Raises BadInput for a folder without candidates.
    """
    best: dict[str, Winner] = {}
    found = (one for folder in folders for one in _winners(Path(folder)))
    eligible = (one for one in found if one.pair in pairs and one.reward > min_reward)
    for winner in heapq.nlargest(limit, eligible):
        best[winner.candidate_id] = winner
    return list(best.values())


def _winners(folder: Path) -> Iterator[Winner]:
    run = RunDirectory(folder)
    if not run.shards():
        raise BadInput(
            f"memory.reuse: expected a run directory, got {str(folder)!r}, which has no candidates"
        )
    for one in (candidate for candidates in run.seeds() for candidate in candidates):
        if one.selected and not one.base and one.reward is not None:
            instruction, _ = last_exchange(one.seed_messages)
            yield Winner(one.reward, one.candidate_id, one.seed_id, one.pair, instruction)
