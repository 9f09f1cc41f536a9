"""Which recorded response each arm of experiment 1 chooses (CLAIMS.md). Numbers only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from staragents.base.records import stable_seed
from staragents.config import Config
from staragents.replay.nearness import Nearness
from staragents.replay.order import Plan, replay_order
from staragents.replay.recorded_table import RecordedTable

DRAWS = 2
# A response counts as equally long up to this factor.
LIKE = 1.2

Choice = NDArray[np.intp]
"""Of shape (prompts,): the column of the chosen agent."""


def choices(
    table: RecordedTable, words: NDArray[np.float64], nearness: Nearness, replicate: int
) -> dict[str, Choice]:
    """The choices of all arms in one replicate. `words`: of each response, shape (prompts, agents)."""
    prompts, agents = table.rewards.shape
    rng = np.random.default_rng(stable_seed("choosing", str(replicate)))
    every = np.arange(prompts)
    drawn = np.argsort(rng.random((prompts, agents)), axis=1)[:, :DRAWS]
    rewards = table.rewards[every[:, None], drawn]
    learnt = replay_order(table, Config(), Plan(DRAWS, 1, 1), nearness, replicate)
    method = np.array(learnt.chosen)
    return {
        "W": drawn[every, rewards.argmin(axis=1)],
        "U": drawn[:, 0],
        "L": like_length(words, method, rng),
        "B": drawn[every, rewards.argmax(axis=1)],
        "P": method,
        "F": np.full(prompts, table.rewards.mean(axis=0).argmax()),
        "O": table.rewards.argmax(axis=1),
    }


def like_length(words: NDArray[np.float64], chosen: Choice, rng: np.random.Generator) -> Choice:
    """A uniform draw among the other agents' responses that are about as long as the chosen one: shorter or
    longer by a factor of at most 1.2, else the one that is nearest in length."""
    every = np.arange(len(words))
    distance = np.abs(np.log((words + 1.0) / (words[every, chosen] + 1.0)[:, None]))
    distance[every, chosen] = np.inf
    alike = distance <= np.maximum(np.log(LIKE), distance.min(axis=1))[:, None]
    return np.where(alike, rng.random(words.shape), -1.0).argmax(axis=1)
