"""Make the wall clock of a run jump back, for its driver and actors but not for the machine."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from .job import COMMAND_S, ChaosJob, WrongEnd
from .scene import SHORT_SEEDS, Scene, Struck

HOUR_S = 3600
SLEEP = Path(__file__).parent / "faked_clock"


def unusable() -> str:
    """Why the clock can't be faked here, or an empty string."""
    return "" if _library() else "libfaketime is not installed"


def clock_back(scene: Scene) -> Struck | None:
    """Jump back by an hour, or to 1970. The monotonic clock continues, as when a machine's clock is set."""
    path = scene.short.fresh()
    clock = path.with_suffix(".clock")
    _set(clock, 0)
    faked = {
        "LD_PRELOAD": str(_library()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_CACHE_DURATION": "1",
        "NO_FAKE_STAT": "1",
        "PYTHONPATH": os.pathsep.join([str(SLEEP), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    # Only for actors: a raylet does not start under libfaketime.
    actors = {"RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps({"runtime_env": {"env_vars": faked}})}
    environment = {**faked, **actors, "RAY_ADDRESS": scene.cluster.address}
    job = ChaosJob(path, scene.short.overrides, environment, path.with_suffix(".log"))
    try:
        jump_at = scene.rng.randrange(1, SHORT_SEEDS // 2)
        deadline = time.monotonic() + COMMAND_S
        while (seed := job.cursor()) < jump_at:
            if job.process.poll() is not None or time.monotonic() > deadline:
                raise WrongEnd(f"no seed was committed under a faked clock: {job.last_line()}")
            time.sleep(0.05)
        back_s = scene.rng.choice((HOUR_S, int(time.time()) - HOUR_S))
        since = time.monotonic()
        _set(clock, back_s)
        job.must_end(0)
        ended_s = time.monotonic() - since
    finally:
        job.kill()
    scene.short.compare(path)
    return Struck(f"by {back_s} s at seed {seed} of {path.name}", ended_s)


def _library() -> Path | None:
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def _set(clock: Path, back_s: int) -> None:
    clock.write_text(f"-{back_s}\n" if back_s else "+0\n")
