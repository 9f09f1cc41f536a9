"""A replay of one policy on one recorded table, in this process."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from staragents.config import Config
from staragents.replay.order import Plan
from staragents.replay.recorded_table import RecordedTable
from staragents.replay.replay import Replayed, Table, replay_tables


def replay_table(
    table: RecordedTable,
    config: Config,
    draws: int,
    passes: int,
    orders: int,
    vectors: NDArray[np.float32] | None = None,
) -> Replayed:
    """At most as many draws as the table has agents."""
    return replay_tables(
        [Table(table, vectors)], [config], Plan(min(draws, len(table.agents)), passes, orders)
    )[0]
