"""A whole run through a hostile server, and what every oddity did to it."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from actors.failure import Failure
from actors.generator import Generator
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.hostile_server import HONEST, HostileServer
from tests.support.local_run import local_run
from tests.support.oddities import FAMILIES
from tests.support.paths import ROOT


@dataclass(slots=True)
class Encounter:
    """Results of the requests that met one oddity."""

    requests: int = 0
    tries: int = 0
    """All tries of these requests, whatever each met."""
    used: int = 0
    """Answers that were used anyway."""
    errors: Counter[str] = field(default_factory=Counter)
    """Classes and lines of the others."""


@dataclass(slots=True)
class HostileRun:
    """A run on honest answers mixed with a share of every family of oddities."""

    out: Path
    seeds: int
    share: float = 0.05
    deadline_s: float = 1.0
    encounters: dict[str, Encounter] = field(default_factory=lambda: defaultdict(Encounter))
    problems: list[str] = field(default_factory=list)
    """Problems of the finished run; empty if it passes."""
    url: str = ""
    failed: int = 0
    """Candidates in quarantine."""

    async def run(self) -> dict[str, Any]:
        """Returns the summary. The caller may shorten backoff."""
        rng = random.Random(0)

        def choose() -> str:
            position = rng.random() / self.share
            families = list(FAMILIES.values())
            return rng.choice(families[int(position)]) if position < len(families) else HONEST

        async with HostileServer() as server:
            self.url = server.url
            config = self._config(server.url)
            handles = {}
            for name, model in config.models.items():
                generator = Generator(model, "")
                await generator.start()
                handles[name] = Watched(generator, server, self.encounters)
            server.choose = choose
            summary = await local_run(config, handles=handles)
        for met in server.met.values():
            for name in set(met) - {HONEST}:
                self.encounters[name].requests += 1
                self.encounters[name].tries += len(met)
        self._check(config)
        return summary

    def _config(self, url: str) -> Config:
        served = [
            f"models.{name}.{setting}"
            for name in ("writer", "judge")
            for setting in ("kind=openai", "model=m", f"base_url={url}")
        ]
        seeds = self.out.with_name("seeds.jsonl")
        seeds.write_text("".join(json.dumps(_seed(number)) + "\n" for number in range(self.seeds)))
        run = [f"run.deadline_s={self.deadline_s}", "run.max_error_rate=1", "run.admitted_seeds=16"]
        return load_config(
            ROOT / "configs/fake.yaml",
            [
                f"output.dir={self.out}",
                f"seeds.path={seeds}",
                "seeds.limit=null",
                "memory.enabled=false",
                *served,
                *run,
            ],
        )

    def _check(self, config: Config) -> None:
        directory = RunDirectory(config.output.dir)
        candidates = [candidate for seed in directory.seeds() for candidate in seed]
        quarantined = pq.read_table(self.out / "quarantine.parquet").to_pylist()
        failed = [candidate for candidate in candidates if candidate.failed]
        self.failed = len(failed)
        with (self.out / "dataset.jsonl").open(encoding="utf-8") as rows:
            written = sum(1 for row in rows if json.loads(row))
        if written != self.seeds:
            self.problems.append(f"expected {self.seeds} rows in the dataset, got {written}")
        said = {row["id"] for row in quarantined if row["error_class"] and row["message"]}
        if lost := [candidate for candidate in failed if candidate.candidate_id not in said]:
            self.problems.append(f"{len(lost)} failed candidates are in quarantine without a reason")
        self.problems += [f"a candidate with impossible numbers: {c}" for c in candidates if not _sane(c)]


def _seed(number: int) -> dict[str, str]:
    response = f"Machine number {number} pumps water uphill with a wheel, a shaft and a long screw."
    return {"instruction": f"Describe machine number {number} to a child.", "output": response}


def _sane(candidate: Candidate) -> bool:
    return 0 <= candidate.tokens_in < 100_000 and 0 <= candidate.tokens_out < 100_000


@dataclass(slots=True)
class Watched:
    """A pool of one replica that records the result of every try."""

    generator: Generator
    server: HostileServer
    encounters: dict[str, Encounter]

    async def remote(self, request: GenerationRequest) -> Generation | Failure:
        before = len(self.server.met[request.seed])
        answer = await self.generator.generate(request)
        met = self.server.met[request.seed]
        if len(met) > before and met[-1] != HONEST:
            encounter = self.encounters[met[-1]]
            if isinstance(answer, Failure):
                encounter.errors[f"{answer.error_class}: {answer.message}"] += 1
            else:
                encounter.used += 1
        return answer
