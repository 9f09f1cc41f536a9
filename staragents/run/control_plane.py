"""What a run needs besides its models: cores of its own processes, the size of its state, time to resume."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from staragents.config import Config
from staragents.run_directory.run_state import shard_rows

# CPU seconds of a candidate on one core, from `python benchmarks/scale.py ray --workers 0 2` (docs/scale.md).
ALONE_S = 0.0029
"""The coordinator's without workers."""
DECIDING_S = 0.0007
"""The coordinator's with workers."""
WORKER_S = 0.0026
RAY_S = 0.0001
"""Serve's controller, raylet and GCS."""
BUSY = 0.8
"""A process that is busier than this falls behind at times."""

# Bytes in run_state.json, from `python benchmarks/scale_out.py gpus` and `resume`.
STATE_BYTES = 20_000
SEED_BYTES, DRAW_BYTES, NEIGHBOURS_BYTES, READING_BYTES, SHARD_BYTES = 120, 60, 680, 40, 165
ROW_S = 60e-6
"""CPU seconds to read a row of the seeds twice."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """`coordinator_cores` and `other_cores` need a measured rate; without one, they are None."""

    state_bytes: int
    resume_seconds: float
    """CPU time before the first seed of a resumed run, models apart."""
    most_per_second: float
    """Candidates/s that these processes can handle, whatever the models do."""
    coordinator_cores: float | None = None
    other_cores: float | None = None

    def lines(self, workers: int) -> list[str]:
        """As lines of text; `workers` is `run.workers`."""
        found = [
            f"state: about {self.state_bytes / 1e6:.2f} MB at most; "
            f"resuming reads the seeds for about {self.resume_seconds:.0f} s"
        ]
        most = f"at most about {self.most_per_second:.0f} candidates/s with run.workers={workers}"
        if self.coordinator_cores is None or self.other_cores is None:
            return [*found, f"control plane: {most}"]
        found.append(
            f"control plane: about {self.coordinator_cores + self.other_cores:.2f} cores, "
            f"{self.coordinator_cores:.2f} of them in the coordinator; {most}"
        )
        return found


def control_plane(config: Config, seeds: int, candidates: int, per_second: float | None) -> ControlPlane:
    """`per_second`: the expected candidates per second, if known."""
    workers, admitted = config.run.workers, config.run.admitted_seeds
    deciding = DECIDING_S if workers else ALONE_S
    shards = candidates / shard_rows(admitted)
    if per_second and config.run.checkpoint_s:
        shards = max(shards, candidates / per_second / config.run.checkpoint_s)
    pending = SEED_BYTES + DRAW_BYTES * config.candidates_per_seed
    if config.memory.enabled:
        pending += NEIGHBOURS_BYTES + READING_BYTES * len(config.pairs)
    state = STATE_BYTES + min(admitted, seeds) * pending + ceil(shards) * SHARD_BYTES
    most = BUSY * min(1 / deciding, workers / WORKER_S) if workers else BUSY / deciding
    if per_second is None:
        return ControlPlane(round(state), seeds * ROW_S, most)
    others = RAY_S + (WORKER_S if workers else 0)
    return ControlPlane(
        round(state), seeds * ROW_S, most, round(per_second * deciding, 3), round(per_second * others, 3)
    )
