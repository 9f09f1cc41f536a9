"""When a comparison in a folder is another one, and which runs it does not take over."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from cluster.driver.compare import Comparing
from cluster.terminal.watcher import Watcher
from staragents.base.errors import BadInput
from staragents.comparison.variant import FULL, load_variants
from staragents.data.seed_file import SeedFile
from staragents.data.seed_scan import SeedScan
from staragents.validation.loading import load_config
from tests.support.local_run import local_run
from tests.support.paths import FAKE


def comparing(folder: Path, mine: str, overrides: tuple[str, ...] = ("seeds.limit=4",)) -> Comparing:
    (folder / "mine.yaml").write_text(mine)
    compared = folder / "compared"
    variants = load_variants(FAKE, overrides, [FULL, str(folder / "mine.yaml")], compared)
    base = load_config(FAKE, overrides)
    return Comparing(base, variants, FULL, None, "judge", compared, Watcher(Console(quiet=True)))


@pytest.mark.parametrize(
    "changed",
    ["agents: {retired: [deepen]}", "filters: {length: drop}", "run: {patience: 9}", "reward: {margin: 0.3}"],
)
def test_a_variant_with_another_setting_is_another_comparison(tmp_path: Path, changed: str) -> None:
    before = comparing(tmp_path, "filters: {length: flag}")
    scan = SeedFile(before._config.seeds).scan()
    identity = before._identity(scan)
    assert comparing(tmp_path, "filters: {length: flag}")._identity(scan) == identity
    assert comparing(tmp_path, changed)._identity(scan) != identity


def test_settings_that_no_result_depends_on_are_not_another_comparison(tmp_path: Path) -> None:
    before = comparing(tmp_path, "filters: {length: flag}")
    scan = SeedFile(before._config.seeds).scan()
    same = (
        "output.title=Another",
        "evaluation.answer_tokens=99",
        "run.metrics=false",
        "models.writer.max_replicas=3",
        "models.writer.silence_s=7",
        "memory.timeout_s=5",
    )
    edited = comparing(tmp_path, "filters: {length: flag}", ("seeds.limit=4", *same))
    assert edited._identity(scan) == before._identity(scan)
    for changed in ("models.writer.price_in=3", "run.max_minutes=9", "reward.margin=0.3"):
        other = comparing(tmp_path, "filters: {length: flag}", ("seeds.limit=4", changed))
        assert other._identity(scan) != before._identity(scan)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ("agents: {retired: [deepen]}", "agents.retired"),
        ("agents: {response: {late: {model: writer, prompt: brief}}}", "agents.response.late.model"),
    ],
)
async def test_a_variant_does_not_take_over_seeds_drawn_from_other_agents(
    tmp_path: Path, changed: str, named: str
) -> None:
    before = comparing(tmp_path, "filters: {length: flag}")
    await local_run(before._variants[1].config)
    with pytest.raises(BadInput, match=rf"{named}.*compared/mine were drawn with.*--output"):
        comparing(tmp_path, changed).run()


async def test_another_judge_of_finished_runs_may_be_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison's own warning asks for another judge."""
    before = comparing(tmp_path, "filters: {length: flag}")
    await local_run(before._variants[1].config)
    reached: list[SeedScan] = []
    monkeypatch.setattr(Comparing, "_run_or_known", lambda self, scan: reached.append(scan))
    judged = ("seeds.limit=4", "models.big={kind: fake}")
    comparing(tmp_path, "filters: {length: flag}", judged).run()
    assert len(reached) == 1
    with pytest.raises(BadInput, match=r"agents\.response\.late\.model.*drawn with") as raised:
        comparing(tmp_path, "agents: {response: {late: {model: big, prompt: brief}}}", judged).run()
    assert "models.big" not in str(raised.value)
