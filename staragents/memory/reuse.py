"""Winners of earlier runs that a new run remembers from its start."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from staragents.analysis.rows import instruction_of, read_rows
from staragents.base.errors import BadInput
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
    shards = RunDirectory(folder).shards()
    if not shards:
        raise BadInput(
            f"memory.reuse: expected a run directory, got {str(folder)!r}, which has no candidates"
        )
    for row in read_rows(shards):
        if row["selected"] and not row["base"] and row["reward"] is not None:
            instruction = instruction_of(row["seed_messages"])
            yield Winner(row["reward"], row["candidate_id"], row["seed_id"], row["pair"], instruction)
