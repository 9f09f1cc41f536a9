"""Relative paths in a config start at the command's working directory, wherever an actor's process begins."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from actors import coordinator_actor, starting
from actors.coordinator_actor import CoordinatorActor
from actors.generator_replica import GeneratorReplica
from actors.memory import MemoryActor
from actors.scorer import Scorer
from actors.seed_worker_actor import Pools, SeedWorkerActor
from actors.working_dir import enter_working_dir, working_dir_environment
from cluster.pools import generators
from staragents.base.environment import WORKING_DIR
from staragents.config import Config, EngineKind, MemoryConfig, ModelConfig, ScorerModelConfig, ScoringConfig
from staragents.data.seed_file import SeedFile
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import fingerprint, load_config
from tests.support.local_run import local_handles, local_worker, state
from tests.support.paths import FAKE

ROW = '{"instruction": "Name a long river.", "output": "The Loire is a long river in France."}\n'
POOLS = Pools("run", {}, [], [], True, None)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command's working directory, with a dataset and a prompt."""
    folder = tmp_path / "there"
    (folder / "prompts").mkdir(parents=True)
    (folder / "rows.jsonl").write_text(ROW)
    (folder / "prompts" / "mine.j2").write_text("Rewrite: {{ instruction }}")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def elsewhere(there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an actor's process begins, which got the environment of the command in `there`."""
    monkeypatch.setenv(WORKING_DIR, str(there))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def relative() -> Config:
    paths = ["seeds.path=rows.jsonl", "output.dir=runs/x", "agents.instruction.deepen.prompt=prompts/mine.j2"]
    return load_config(FAKE, [*paths, "memory.enabled=false"])


async def test_a_coordinator_on_a_cluster_works_in_the_folder_of_the_command(
    there: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = relative()
    scan, run = SeedFile(config.seeds).scan(), RunDirectory(config.output.dir)
    handles = await local_handles(config)
    # Called in the actor's process: the workers read the prompts there.
    monkeypatch.setattr(coordinator_actor, "SeedWorkers", lambda *_: local_worker(config, handles))
    monkeypatch.setattr(coordinator_actor.ray, "get_actor", lambda name: None)
    with run.claimed() as session:
        run.create(config, scan)
        monkeypatch.chdir(elsewhere)
        coordinator = CoordinatorActor(config, config, scan, POOLS, ["worker"], {}, session, None)
        await coordinator.run()
    assert not list(elsewhere.iterdir())
    assert (there / "runs/x/dataset.jsonl").is_file()
    saved = yaml.safe_load((there / "runs/x/config.yaml").read_text())
    assert (saved["output"]["dir"], saved["seeds"]["path"]) == ("runs/x", "rows.jsonl")
    assert state(there / "runs/x")["fingerprint"] == fingerprint(config)


def seed_worker(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.seed_worker_actor.connect", lambda *_: SimpleNamespace(generate=None))
    monkeypatch.setattr("actors.seed_worker_actor.gc", SimpleNamespace(freeze=int, set_threshold=int))
    SeedWorkerActor(config, POOLS, None)


class Replica(GeneratorReplica):
    def __del__(self) -> None: ...  # type: ignore[override]


async def replica(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.generator_replica.listen_on_node_address", lambda: None)
    await Replica.__init__(object.__new__(Replica), ModelConfig(kind=EngineKind.fake), "")


@pytest.mark.parametrize("kind", ["memory", "scorer", "worker", "replica"])
async def test_every_actor_enters_it(
    kind: str, there: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = relative()
    monkeypatch.chdir(elsewhere)
    if kind == "memory":
        MemoryActor(MemoryConfig(embedder="fake"), None, None, "run")
    elif kind == "scorer":
        Scorer("target", ScorerModelConfig("fake"), ScoringConfig(), "fake")
    elif kind == "worker":
        seed_worker(config, monkeypatch)
    else:
        await replica(monkeypatch)
    assert Path.cwd() == there


def test_a_node_without_the_folder_says_where_paths_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(WORKING_DIR, str(tmp_path / "gone"))
    with caplog.at_level(logging.INFO):
        enter_working_dir()
    assert Path.cwd() == tmp_path
    assert f"relative paths start at {tmp_path}: can't use {tmp_path / 'gone'}: No such file" in caplog.text


class Remote:
    """Stands in for Ray: notes the options of an actor."""

    def __init__(self, noted: list[dict[str, Any]]) -> None:
        self._noted = noted

    def options(self, **options: Any) -> Remote:
        self._noted.append(options)
        return self

    def remote(self, *arguments: Any) -> None: ...


def test_actors_get_it_on_a_cluster_only(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[dict[str, Any]] = []
    monkeypatch.setattr(starting.ray, "remote", lambda kind: Remote(noted))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    starting.start_actor(MemoryActor, "memory")
    assert working_dir_environment() == {}
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    starting.start_actor(MemoryActor, "memory")
    starting.start_actor(Scorer, "scorer", environment={"A": "b"})
    found = [options.get("runtime_env") for options in noted]
    folder = {WORKING_DIR: os.getcwd()}
    assert found == [None, {"env_vars": folder}, {"env_vars": {**folder, "A": "b"}}]


def test_the_replicas_of_a_model_get_it_too(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster's Serve, which starts them, has the environment of the command that it began with."""
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    app = generators._application("m", ModelConfig(kind=EngineKind.fake), 1, 1, ())
    options = app._bound_deployment.ray_actor_options
    assert options["runtime_env"]["env_vars"][WORKING_DIR] == str(there)
