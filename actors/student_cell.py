"""Trains and measures one student on Ray."""

from __future__ import annotations

from collections.abc import Sequence

from actors.logs import configure_logs
from actors.ray_internals import leave_note
from staragents.config import EvaluationConfig
from staragents.evaluation.cell import CellResult
from staragents.evaluation.cell_job import CellJob
from staragents.evaluation.held_out import HeldOut


def train_cell(job: CellJob, held_out: Sequence[HeldOut], note: str) -> CellResult:
    """Undecorated: `cluster.driver.student_tasks` makes the Ray task. `note` tells the driver that it has
    begun. Raises as `CellJob.run`."""
    configure_logs()
    leave_note(note)
    return job.run(held_out)


def cell_environment(settings: EvaluationConfig) -> dict[str, str]:
    """Environment variables that a worker needs before it imports torch (for `runtime_env`)."""
    return {
        "OMP_NUM_THREADS": str(max(1, round(settings.num_cpus))),
        "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads take cores from other processes
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        # Without it, products of matrices on a GPU differ from run to run.
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
