"""A run started like a user would, which can be killed and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from staragents.run_directory.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
COMMAND_S = 180.0
"""Time limit for a command without work to do, on a busy machine."""


class WrongEnd(Exception):
    """After a disturbance, a command did not end as it must."""


class ChaosJob:
    """The command `run` on its own run directory; restarted after a kill to resume.

    `prefix` is put before the command, such as `ip netns exec NAME`.
    """

    def __init__(
        self,
        path: Path,
        overrides: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        prefix: Sequence[str] = (),
    ) -> None:
        self.run = RunDirectory(path)
        self.log = log
        self._overrides, self._environment, self._prefix = overrides, environment, prefix
        self._seen: tuple[int, int] = (0, 0)
        self.start()

    def start(self) -> None:
        with self.log.open("a") as log:
            self._began = log.tell()
            self.process = subprocess.Popen(
                self._program("run", "configs/fake.yaml", *self._overrides, f"output.dir={self.run.path}"),
                cwd=ROOT, env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def twin(self, log: Path) -> ChaosJob:
        """Start the same command a second time."""
        return ChaosJob(self.run.path, self._overrides, self._environment, log, self._prefix)

    def kill(self) -> str:
        """SIGKILL the command; returns the killed process, or an empty string if it had already ended."""
        self.process.kill()
        return f"process {self.process.pid}" if self.process.wait() == -signal.SIGKILL else ""

    def restart(self) -> str:
        gone = self.kill()
        self.start()
        return gone

    def cursor(self) -> int:
        """Seeds committed and saved. Reads the state again only if the file has changed."""
        try:
            status = (self.run.path / "run_state.json").stat()
        except FileNotFoundError:
            return 0
        if status.st_mtime_ns != self._seen[0]:
            state = self.run.state()
            self._seen = (status.st_mtime_ns, int(state["cursor"]) if state is not None else 0)
        return self._seen[1]

    def output(self) -> str:
        """Output of the command since its last start."""
        with self.log.open(errors="replace") as log:
            log.seek(self._began)
            return log.read()

    def last_line(self) -> str:
        return (self.output().strip().splitlines() or ["no output"])[-1]

    def must_end(self, code: int, *words: str) -> str:
        """Wait until the command ends with `code`; unless 0, with a single error line that contains `words`.

        Returns the last line of output. Raises WrongEnd.
        """
        try:
            ended = self.process.wait(timeout=COMMAND_S)
        except subprocess.TimeoutExpired:
            raise WrongEnd(f"expected exit code {code}, got none within {COMMAND_S:g} s") from None
        errors = [line for line in self.output().splitlines() if line.startswith("error: ")]
        if ended != code:
            raise WrongEnd(f"expected exit code {code}, got {ended}: {self.last_line()}")
        if code and len(errors) != 1:
            raise WrongEnd(f"expected one error line, got {len(errors)}: {self.last_line()}")
        if code and (missing := [word for word in words if word not in errors[0]]):
            raise WrongEnd(f"expected {missing[0]!r} in the error, got {errors[0]}")
        return self.last_line()

    def command(self, verb: str, *arguments: str) -> None:
        """Run another command, which must end with exit code 0. Raises WrongEnd."""
        done = subprocess.run(
            self._program(verb, *arguments),
            cwd=ROOT, env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_S,
        )  # fmt: skip
        with self.log.open("a") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise WrongEnd(f"{verb}: expected exit code 0, got {done.returncode}: {last}")

    def _program(self, *arguments: str) -> list[str]:
        return [*self._prefix, sys.executable, "-m", "cluster.job", *arguments]


def settings(seeds: Path, latency_s: float) -> list[str]:
    """Overrides of configs/fake.yaml: two of every pool, memory and frequent checkpoints from the start.

    Enough attempts for five simultaneous kills that all hit the same request.
    """
    return [
        f"seeds.path={seeds}", "seeds.limit=null", "run.checkpoint_s=0.3", "memory.warmup=0",
        f"models.writer.fake.latency_s={latency_s}", "models.writer.num_gpus=1",
        "models.writer.min_replicas=2", "models.writer.max_replicas=2", "scoring.target.replicas=2",
        "run.workers=2", "run.attempts=20",
    ]  # fmt: skip
