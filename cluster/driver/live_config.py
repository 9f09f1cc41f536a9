"""Config changes of a run in progress: which settings may change, and pools for new models."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any

from actors.seed_worker_actor import Pools
from cluster.pools.generators import running_generators
from cluster.session import capacity
from cluster.session.demand import demand_of
from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.config.marks import Mark
from staragents.config.tree import as_dict, different, leaves, marks
from staragents.run_directory.resume_check import check_same_run
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import added_entries, changed_keys, with_overrides


class LiveConfig:
    """The newest config and its pools. `changed`: the current coordinator still uses an older config."""

    def __init__(self, config: Config, pools: Pools, run: RunDirectory) -> None:
        self.config = config
        self.pools = pools
        self.changed = False
        self._run = run
        self._started = ExitStack()

    def __enter__(self) -> LiveConfig:
        """Start models that were added to one run of a comparison: the pools of all runs lack them."""
        self._start({name for name in self.config.models if name not in self.pools.generators}, self.config)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the models that were started by changes."""
        self._started.__exit__(kind, error, trace)

    def change(self, overrides: tuple[str, ...]) -> tuple[str, ...]:
        """Check settings, load new models, and return the dotted names of what changes.

        Raises BadInput for settings that can't change in a run or while it is running, RunFailed if a model
        does not load.
        """
        config = with_overrides(self.config, overrides)
        old, new = as_dict(self.config), as_dict(config)
        found = different(dict(leaves(old)), dict(leaves(new)))
        if not found:
            raise BadInput("KEY=VALUE: nothing changes, the run already has these settings")
        added = added_entries(old, new)
        if added is None:
            decisive = ", ".join(changed_keys(old, new))
            raise BadInput(
                f"{decisive}: determines the results of the run, so it can't change in a run; "
                "add another agent, or start a run in another output.dir"
            )
        rest = [key for key in found if not any(key[: len(entry)] == entry for entry in added)]
        if fixed := [".".join(key) for key in rest if Mark.live not in marks(key)]:
            raise BadInput(
                f"{', '.join(fixed)}: can't change while the run is running; stop it, and resume it with the "
                "new value (pool sizes: staragents scale)"
            )
        if (saved := self._run.state()) is not None:
            check_same_run(self._run, saved, config)
        self._start({name for name in config.models if name not in self.config.models}, config)
        self.config, self.changed = config, True
        return tuple(".".join(key) for key in (*added, *rest))

    def _start(self, names: set[str], config: Config) -> None:
        if not names:
            return
        for pool in demand_of(config).pools:
            if pool.key.removeprefix("models.") in names:
                capacity.check_room(pool, pool.replicas)
        models = replace(
            config, models={name: config.models[name] for name in config.models if name in names}
        )
        apps = self._started.enter_context(running_generators(models, self.pools.run_name))
        self.pools = replace(self.pools, generators={**self.pools.generators, **apps})


def send_change(live: LiveConfig, coordinator: Any) -> None:
    """Let a coordinator that may not know of a change save it and end, so that the next one continues with
    it."""
    if live.changed:
        coordinator.change_config.remote(live.config)
        coordinator.drain.remote()
