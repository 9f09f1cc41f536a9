"""Settings that may change during a run. Loading models is tested in tests/ray/test_change.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from actors.seed_worker_actor import Pools
from cluster.driver.live_config import LiveConfig
from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

CONFIG = str(FAKE)
POOLS = Pools("r", {}, [], [], True, None)


@pytest.fixture
def live(tmp_path: Path) -> LiveConfig:
    config = load_config(CONFIG, [f"output.dir={tmp_path / 'run'}"])
    return LiveConfig(config, POOLS, RunDirectory(config.output.dir))


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("agents.response.direct.temperature=0.1", "direct.temperature: determines the results"),
        ("run.admitted_seeds=9", "run.admitted_seeds: determines the results"),
        ("reward.difficulty=target_only", "reward.difficulty: determines the results"),
        ("scoring.batch_tokens=64", "scoring.batch_tokens: can't change while the run is running; stop it"),
        ("models.writer.max_replicas=3", "models.writer.max_replicas: can't change while"),
        ("output.dir=elsewhere", "output.dir: can't change while"),
        ("agents.response.brief={model: writr, prompt: direct}", "did you mean writer?"),
        ("run.budgt=3", "run.budgt"),
        ("run.attempts=3", "nothing changes"),
    ],
)
def test_a_setting_that_cannot_change_is_reported_and_nothing_changes(
    live: LiveConfig, override: str, problem: str
) -> None:
    before = live.config
    with pytest.raises(BadInput) as raised:
        live.change((override, "run.checkpoint_s=7") if problem.startswith("reward") else (override,))
    assert problem in str(raised.value)
    assert live.config is before
    assert not live.changed


def test_a_run_that_is_never_resumed_can_change(tmp_path: Path) -> None:
    config = load_config(CONFIG, [f"output.dir={tmp_path / 'run'}", "output.resume=never"])
    run = RunDirectory(config.output.dir)
    run.create(config, SeedFile(config.seeds).scan())
    live = LiveConfig(config, POOLS, run)
    assert live.change(("run.max_tokens=5000",)) == ("run.max_tokens",)


def test_an_edited_prompt_is_reported(tmp_path: Path) -> None:
    prompt = tmp_path / "mine.j2"
    prompt.write_text("Rewrite this: {{ instruction }}")
    mine = [f"output.dir={tmp_path / 'run'}", f"agents.instruction.deepen.prompt={prompt}"]
    config = load_config(CONFIG, mine)
    run = RunDirectory(config.output.dir)
    run.create(config, SeedFile(config.seeds).scan())
    prompt.write_text("Write this anew: {{ instruction }}")
    with pytest.raises(BadInput, match=r"a different text of agents\.instruction\.deepen\.prompt"):
        LiveConfig(config, POOLS, run).change(("run.max_tokens=5000",))


def test_a_model_that_the_pools_lack_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(CONFIG, [f"output.dir={tmp_path / 'run'}", "models.second={kind: fake}"])
    pools = replace(POOLS, generators={"writer": "app-writer", "judge": "app-judge"})

    @contextmanager
    def started(config: Config, run_name: str) -> Iterator[dict[str, str]]:
        yield {name: f"{run_name}-{name}" for name in config.models}

    monkeypatch.setattr("cluster.driver.live_config.running_generators", started)
    monkeypatch.setattr("cluster.session.capacity.check_room", lambda pool, replicas: None)
    with LiveConfig(config, pools, RunDirectory(config.output.dir)) as live:
        assert live.pools.generators == {**pools.generators, "second": "r-second"}


def test_added_pairs_are_named_once(tmp_path: Path) -> None:
    listed = ["agents.pairs=[deepen+direct]", "evolution.draws=1"]
    config = load_config(CONFIG, [f"output.dir={tmp_path / 'run'}", *listed])
    live = LiveConfig(config, POOLS, RunDirectory(config.output.dir))
    assert live.change(("agents.pairs=[deepen+direct, broaden+direct]",)) == ("agents.pairs",)


def test_changes_add_up_and_are_named(live: LiveConfig) -> None:
    agent = "agents.response.brief={model: writer, prompt: direct, max_tokens: 64}"
    assert live.change((agent, "run.max_tokens=5000")) == (
        "agents.response.brief",
        "run.max_tokens",
    )
    assert live.change(("agents.retired=[deepen]",)) == ("agents.retired",)
    assert live.changed
    assert "keep+brief" in live.config.pairs
    assert live.config.run.max_tokens == 5000
    assert live.config.agents.retired == ["deepen"]
