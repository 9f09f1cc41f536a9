"""A temporary network partition between two nodes."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from types import TracebackType

import psutil

from .job import COMMAND_S, ChaosJob, WrongEnd
from .processes import end
from .scene import SHORT_SEEDS, Scene, Struck

HEAD, OTHER = "10.231.77.1", "10.231.77.2"
PORT = 6379
STORE_BYTES = 100_000_000
CHECKS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
"""With these, Ray declares an unreachable node dead after about 9 s."""
SHORT_S, LONG_S = (1.0, 5.0), (15.0, 30.0)
ATTEMPTS = 3
FAILED = 1


def unusable() -> str:
    """Why network namespaces are impossible here, or an empty string."""
    if missing := [name for name in ("ip", "iptables") if shutil.which(name) is None]:
        return f"{missing[0]} is not installed"
    name = f"chaos-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if tried.returncode:
        return tried.stderr.strip()
    try:
        drops = subprocess.run(
            ["ip", "netns", "exec", name, "iptables", "-L", "-n"], capture_output=True, text=True
        )
        return drops.stderr.strip() if drops.returncode else ""
    finally:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def partition(scene: Scene) -> Struck | None:
    """Cut shorter or longer than Ray takes to declare a node dead; then the run must finish, by itself or by
    running the same command again. A node declared dead exits and is restarted, as an operator would do."""
    path = scene.short.fresh()
    with TwoNodes() as nodes:
        job = ChaosJob(
            path, scene.short.overrides, nodes.environment, path.with_suffix(".log"), nodes.prefix(HEAD)
        )
        try:
            cut_at = scene.rng.randrange(1, SHORT_SEEDS // 2)
            _wait_for(job, cut_at)
            cut_s = scene.rng.uniform(*scene.rng.choice((SHORT_S, LONG_S)))
            nodes.cut()
            time.sleep(cut_s)
            nodes.heal()
            since = time.monotonic()
            how = _ends(job, nodes)
            ended_s = time.monotonic() - since
        finally:
            job.kill()
    scene.short.compare(path)
    return Struck(f"of {cut_s:.1f} s at seed {cut_at} of {path.name}, {how}", ended_s)


def _wait_for(job: ChaosJob, seed: int) -> None:
    deadline = time.monotonic() + COMMAND_S
    while job.cursor() < seed:
        if job.process.poll() is not None or time.monotonic() > deadline:
            raise WrongEnd(f"no seed was committed before the partition: {job.last_line()}")
        time.sleep(0.1)


def _ends(job: ChaosJob, nodes: TwoNodes) -> str:
    """Wait for the end and describe it. Raises WrongEnd."""
    for again in range(ATTEMPTS):
        deadline = time.monotonic() + COMMAND_S
        while (code := job.process.poll()) is None:
            if time.monotonic() > deadline:
                raise WrongEnd(f"the partition is healed, but the run stalled for {COMMAND_S:g} s")
            nodes.replace_lost()
            time.sleep(0.5)
        if code == 0:
            return f"ended after {again} repeated commands" if again else "ended by itself"
        job.must_end(FAILED)
        nodes.replace_lost()
        job.start()
    raise WrongEnd(f"the partition is healed, but the command failed {ATTEMPTS} times: {job.last_line()}")


class TwoNodes:
    """A Ray cluster of two nodes, each in its own network namespace, joined by a pair of virtual interfaces.
    Removed on exit; leftovers of an earlier one are removed first."""

    def __init__(self) -> None:
        self._names = {HEAD: "chaos-head", OTHER: "chaos-other"}
        self._token = {name: value for name, value in os.environ.items() if name.startswith("RAY_AUTH")}
        self._port = PORT + random.SystemRandom().randrange(1000)

    def __enter__(self) -> TwoNodes:
        self._remove()
        try:
            for name in self._names.values():
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
            head, other = self._names.values()
            _ip("-n", head, "link", "add", "joined", "type", "veth", "peer", "joined", "netns", other)
            for address, name in self._names.items():
                _ip("-n", name, "address", "add", f"{address}/24", "dev", "joined")
                _ip("-n", name, "link", "set", "joined", "up")
            self._start(HEAD, "--head", f"--port={self._port}", "--num-gpus=0", "--include-dashboard=false")
            self._start_other()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    @property
    def environment(self) -> dict[str, str]:
        return {**CHECKS, "RAY_ADDRESS": f"{HEAD}:{self._port}"}

    def prefix(self, address: str) -> list[str]:
        return ["ip", "netns", "exec", self._names[address]]

    def cut(self) -> None:
        """Silently drop packets in both directions."""
        self._rule("-A")

    def heal(self) -> None:
        self._rule("-D")

    def replace_lost(self) -> None:
        """Restart the other node if Ray has ended it after declaring it dead."""
        if not any(process.name() == "raylet" for process in self._processes(OTHER)):
            self._start_other()

    def _start_other(self) -> None:
        self._start(OTHER, f"--address={HEAD}:{self._port}", "--num-gpus=4")

    def _start(self, address: str, *arguments: str) -> None:
        folder = f"{os.environ['RAY_TMPDIR']}/{address.rpartition('.')[2]}"
        done = subprocess.run(
            [
                *self.prefix(address), f"{os.path.dirname(sys.executable)}/ray", "start", *arguments,
                f"--node-ip-address={address}", f"--temp-dir={folder}", "--num-cpus=4",
                f"--object-store-memory={STORE_BYTES}", "--disable-usage-stats",
            ],
            env={**os.environ, **CHECKS}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"ray start {arguments[0]}: {(done.stderr or done.stdout).strip()[-300:]}")

    def _rule(self, action: str) -> None:
        for chain, side in (("INPUT", "-i"), ("OUTPUT", "-o")):
            rule = ["iptables", action, chain, side, "joined", "-j", "DROP"]
            subprocess.run([*self.prefix(HEAD), *rule], check=True, capture_output=True)

    def _processes(self, address: str) -> list[psutil.Process]:
        found = subprocess.run(
            ["ip", "netns", "pids", self._names[address]], capture_output=True, text=True
        ).stdout
        processes = []
        for line in found.split():
            try:
                processes.append(psutil.Process(int(line)))
            except psutil.NoSuchProcess:
                continue
        return processes

    def _remove(self) -> None:
        for address, name in self._names.items():
            end(self._processes(address))
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
