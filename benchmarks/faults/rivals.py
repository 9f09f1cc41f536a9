"""Two simultaneous commands on one run directory, and a kill before the results are written."""

from __future__ import annotations

import time

from .job import COMMAND_S, ChaosJob, WrongEnd
from .scene import Scene, Struck

FAILED = 1
IN_USE = ("output.dir", "is in use by process")


def rival(scene: Scene) -> Struck | None:
    """Start the same command again during the run."""
    other = _twin(scene)
    other.must_end(FAILED, *IN_USE)
    return Struck(f"process {other.process.pid} beside process {scene.job.process.pid}")


def rival_new(scene: Scene) -> Struck | None:
    """Start the same command again before anything is written; the survivor becomes the run."""
    jobs = [scene.job, _twin(scene)]
    deadline = time.monotonic() + COMMAND_S
    while not (ended := [job for job in jobs if job.process.poll() is not None]):
        if time.monotonic() > deadline:
            jobs[1].kill()
            raise WrongEnd("two commands run on one new run directory, and neither ended")
        time.sleep(0.05)
    loser = ended[0]
    (scene.job,) = (job for job in jobs if job is not loser)
    loser.must_end(FAILED, *IN_USE)
    return Struck(f"process {loser.process.pid} beside process {scene.job.process.pid}")


def results(scene: Scene) -> Struck | None:
    """SIGKILL after the last commit, before the manifest is written: resuming must not load models."""
    if not (gone := scene.job.kill()):
        return None
    actor = scene.cluster.kill("coordinator", scene.rng)
    scene.cluster.wait_for_writers()
    if (scene.job.run.path / "manifest.json").exists():
        scene.job.start()
        return None
    since = time.monotonic()
    scene.job.start()
    scene.job.must_end(0)
    if "loading models" in scene.job.output():
        raise WrongEnd("models were loaded to write the results again")
    return Struck(f"{gone}, {actor or 'its actors'}", time.monotonic() - since)


def _twin(scene: Scene) -> ChaosJob:
    return scene.job.twin(scene.job.log.with_suffix(f".twin-{time.time_ns()}.log"))
