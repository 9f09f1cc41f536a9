"""Runs variants of one config one after the other, on the same seeds and the same running models."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from actors.common_judge import CommonJudge
from actors.generator_client import connect
from actors.seed_worker_actor import Pools
from cluster.driver.optimise import Outcome, carry_out, loaded_pools
from cluster.pools.pools import running_memory
from cluster.session.demand import demand_of
from cluster.session.ray_session import ray_session
from cluster.terminal.watcher import Watcher
from staragents.agents.generation_cache import GenerationCache
from staragents.base.digest import digest_of
from staragents.comparison.comparison import RESULT, Comparison, rows_of, seeds_ifd, warnings_for
from staragents.comparison.measured import Measured, chosen_candidates, measured
from staragents.comparison.same_draws import check_same_draws
from staragents.comparison.variant import Variant
from staragents.config import Config
from staragents.config.marks import Mark
from staragents.config.tree import Key, as_dict, leaves, marks
from staragents.data.seed_file import SeedFile
from staragents.data.seed_scan import SeedScan
from staragents.files.atomic_file import write_json, write_text
from staragents.report.comparison_page import page_of
from staragents.run.work import finish, work_of
from staragents.run_directory.continued import about_kept
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_lock import command_lock

WITHOUT_EFFECT: tuple[Key, ...] = (
    ("evaluation",),
    ("run", "attempts"),
    ("run", "checkpoint_s"),
    ("run", "deadline_s"),
    ("run", "max_error_rate"),
    ("run", "metrics"),
    ("run", "workers"),
)
"""Of the settings that may change while a run is running: those that a finished run has no use for."""


class Interrupted(Exception):
    """The user stopped the comparison; all finished work is saved."""


class Comparing:
    """One comparison in its own folder. Running it again resumes it."""

    def __init__(
        self,
        config: Config,
        variants: Sequence[Variant],
        reference: str,
        tokens: int | None,
        judge: str,
        folder: Path,
        watcher: Watcher,
    ) -> None:
        """`config`: shared by all variants. `tokens`: budget per variant; None: what the reference uses."""
        self._config = config
        self._variants = list(variants)
        self._reference = next(variant for variant in variants if variant.name == reference)
        self._tokens = tokens
        self._judge = judge
        self._folder = folder
        self._watcher = watcher
        self._title = config.output.title
        self._cache = folder / "generations.sqlite"

    def run(self) -> Comparison:
        """Finish the run of every variant, measure all of them, write compare.json and compare.html.

        Raises BadInput before anything is written, RunFailed, and Interrupted after Ctrl-C.
        """
        scan = SeedFile(self._config.seeds).scan()
        for variant in self._variants:
            work = work_of(variant.config, scan)
            check_same_draws(work.run, work.config)
        with command_lock(self._folder, "--output"):
            return self._run_or_known(scan)

    def _run_or_known(self, scan: SeedScan) -> Comparison:
        identity = self._identity(scan)
        if (known := self._known(identity)) is not None:
            self._watcher.say(f"{self._folder} already holds this comparison")
            return known
        with ray_session(demand_of(self._config)):
            shared = dataclasses.replace(
                self._config, memory=dataclasses.replace(self._config.memory, enabled=False)
            )
            users = [variant.config for variant in self._variants]
            with loaded_pools(shared, RunDirectory(self._folder).name, users, self._watcher) as pools:
                budget = self._run_all(scan, pools)
                self._watcher.say("judging the chosen candidates")
                variants = asyncio.run(self._measure(scan, pools))
        return self._written(scan, variants, budget, identity)

    def _run_all(self, scan: SeedScan, pools: Pools) -> int:
        """Run all variants with the same token budget, the reference first; returns the budget."""
        summary = self._run(self._reference.within(self._tokens), scan, pools).summary
        spent = summary["cost"]["tokens_in"] + summary["cost"]["tokens_out"]
        budget = self._tokens or spent
        for variant in self._variants:
            if variant is not self._reference:
                self._run(variant.within(budget), scan, pools)
        return budget

    def _run(self, variant: Variant, scan: SeedScan, pools: Pools) -> Outcome:
        run = RunDirectory(variant.config.output.dir)
        with run.claimed() as session:
            work = work_of(variant.config, scan)
            if (summary := finish(work)) is not None:
                self._watcher.say(f"{variant.name}: already finished")
                return Outcome(summary, interrupted=False)
            self._watcher.say(f"{variant.name}: {scan.seeds} seeds, {work.done} already done")
            for line in about_kept(work.kept):
                self._watcher.say(f"{variant.name}: {line}")
            run.create(work.config, scan)
            with running_memory(work.config, run.name) as memory:
                own = dataclasses.replace(pools, run_name=run.name, memory=memory.ready() if memory else None)
                outcome = carry_out(work, session, own, self._watcher, self._cache)
        if outcome.interrupted:
            raise Interrupted
        return outcome

    async def _measure(self, scan: SeedScan, pools: Pools) -> list[Measured]:
        generators = connect(self._config, pools.generators, self._cache)
        common_judge = CommonJudge(self._config, self._judge, generators)
        found = []
        for variant in self._variants:
            wins = await common_judge.wins(chosen_candidates(variant))
            found.append(measured(variant, scan.seeds, wins))
        return found

    def _written(self, scan: SeedScan, variants: list[Measured], budget: int, identity: str) -> Comparison:
        rows = rows_of(variants, self._reference.name)
        with closing(GenerationCache(self._cache, self._config.models)) as cache:
            made, used = cache.counts()
        model = self._config.models[self._judge]
        result = Comparison(
            config=self._title,
            seeds=scan.seeds,
            reference=self._reference.name,
            budget_tokens=budget,
            judge=self._judge,
            judge_model=model.model or model.kind.value,
            seeds_ifd=seeds_ifd(variants),
            generations_made=made,
            generations_used=used,
            fake=sorted({name for one in variants for name in one.fake}),
            identity=identity,
            rows=rows,
            warnings=warnings_for(rows, scan.seeds, budget, self._judge == self._config.judge.model),
        )
        # The JSON is written last: it marks the comparison as finished.
        write_text(self._folder / "compare.html", page_of(result))
        write_json(self._folder / RESULT, result.as_dict())
        return result

    def _known(self, identity: str) -> Comparison | None:
        """The result in the folder, if it belongs to this comparison."""
        try:
            saved = json.loads((self._folder / RESULT).read_text(encoding="utf-8"))
            return Comparison.from_dict(saved) if saved["identity"] == identity else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _identity(self, scan: SeedScan) -> str:
        """Checksum of everything that determines the result, filters and limits included."""
        variants = [[variant.name, _settings(variant.config)] for variant in self._variants]
        shared = _settings(self._config)
        return digest_of([shared, variants, self._reference.name, self._tokens, self._judge, scan.sha256])


def _settings(config: Config) -> list[Any]:
    """All settings but those that change neither a finished run nor its measures, in the config's order."""
    return [[key, value] for key, value in leaves(as_dict(config)) if not _without_effect(key)]


def _without_effect(key: Key) -> bool:
    return Mark.on_resume in marks(key) or any(key[: len(one)] == one for one in WITHOUT_EFFECT)
