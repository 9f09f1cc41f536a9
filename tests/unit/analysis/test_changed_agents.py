"""What is said of the draws of a run whose agents changed: each seed had its own choice of pairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from staragents.analysis.certainty import Certainty
from staragents.analysis.draw_history import DrawHistory, reproduces
from staragents.analysis.explanation import Explanation
from staragents.analysis.saved_run import SavedRun
from staragents.analysis.timeline import Snapshot, Timeline
from staragents.base.records import Candidate
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.evolution.policy import PairStats
from staragents.replay.off_policy import estimate
from staragents.run.repair import repair
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.local_run import drained_run, local_run
from tests.support.paths import FAKE

pytestmark = pytest.mark.slow

SEEDS, CHANGED = 40, 16
BRIEF = "agents.response.brief={model: writer, prompt: brief}"
RETIRED = "agents.retired=[deepen]"


def config_of(folder: Path, *overrides: str) -> Config:
    return load_config(FAKE, [f"output.dir={folder}", f"seeds.limit={SEEDS}", *overrides])


async def changed_run(folder: Path, *changes: str, before: tuple[str, ...] = ()) -> SavedRun:
    await drained_run(config_of(folder, *before), CHANGED)
    await local_run(config_of(folder, *before, *changes))
    return SavedRun.open(folder)


def draws(run: SavedRun) -> list[tuple[dict[str, float], list[Candidate]]]:
    history = DrawHistory(run.config, SEEDS, run.drawn_pairs)
    found = []
    for candidates in run.folder.seeds():
        found.append((history.probabilities(candidates), candidates))
        history.add_seed(candidates)
    return found


@pytest.mark.parametrize("policy", ["thompson", "paper"])
async def test_draws_before_and_after_a_new_agent_are_reproduced(tmp_path: Path, policy: str) -> None:
    run = await changed_run(tmp_path / "run", BRIEF, before=(f"evolution.policy={policy}",))
    found = draws(run)
    assert all(reproduces(*one) for one in found)
    brief = [any(pair.endswith("+brief") for pair in probabilities) for probabilities, _ in found]
    begin = brief.index(True)
    assert brief == [False] * begin + [True] * (SEEDS - begin)
    assert CHANGED < begin < SEEDS, "seeds that were drawn before the change keep their draws"
    early = Explanation.of(run.folder.path, "5")
    assert early.reproduced
    assert not any(pair.endswith("+brief") for pair in early.probabilities)
    own = estimate(run.folder.seeds(), run.config, SEEDS, run.drawn_pairs)
    assert own.estimates[0].mean == pytest.approx(own.logged.mean)


async def test_a_retired_pair_is_not_said_to_be_drawn_next(tmp_path: Path) -> None:
    run = await changed_run(tmp_path / "run", RETIRED)
    assert all(reproduces(*one) for one in draws(run))
    timeline = Timeline(run.config, SEEDS, SEEDS, run.drawn_pairs)
    for candidates in run.folder.seeds():
        timeline.add_seed(candidates)
    first, last = (
        {one.pair: one for one in timeline.snapshots[index].pair_stats if one.pair.startswith("deepen+")}
        for index in (0, -1)
    )
    assert all(one.probability > 0 and one.drawable for one in first.values())
    assert {(one.probability, one.drawable) for one in last.values()} == {(0.0, False)}
    assert sum(one.probability for one in timeline.snapshots[-1].pair_stats) == pytest.approx(1)


async def test_pairs_that_are_not_in_the_run_yet_have_probability_0(tmp_path: Path) -> None:
    run = await changed_run(tmp_path / "run", BRIEF)
    timeline = Timeline(run.config, SEEDS, SEEDS, run.drawn_pairs)
    for candidates in run.folder.seeds():
        timeline.add_seed(candidates)
    (_, added) = run.drawn_pairs
    for snapshot in timeline.snapshots:
        assert [one.pair for one in snapshot.pair_stats] == run.config.drawn_pairs
        new = [one for one in snapshot.pair_stats if one.pair.endswith("+brief")]
        assert {one.drawable for one in new} == {snapshot.seeds > added.learnt}
    assert not any(one.probability for one in timeline.snapshots[0].pair_stats if not one.drawable)


async def test_a_state_of_an_earlier_version_resumes_and_keeps_what_it_drew_from(tmp_path: Path) -> None:
    folder = RunDirectory(tmp_path / "run")
    await drained_run(config_of(folder.path), CHANGED)
    state = folder.state()
    assert state is not None
    del state["drawn_pairs"]
    folder.write_state(state)
    await local_run(config_of(folder.path, BRIEF, RETIRED))
    run = SavedRun.open(folder.path)
    assert len(run.drawn_pairs) == 2
    assert all(reproduces(*one) for one in draws(run))


async def test_a_repaired_run_still_knows_what_its_seeds_were_drawn_from(tmp_path: Path) -> None:
    run = await changed_run(tmp_path / "run", BRIEF, RETIRED)
    run.folder.shards()[-1].write_bytes(b"")
    with run.folder.claimed():
        repaired = repair(run.folder)
    assert (repaired.restarted, bool(repaired.lost)) == (True, True)
    await local_run(config_of(run.folder.path, BRIEF, RETIRED))
    run = SavedRun.open(run.folder.path)
    assert all(reproduces(*one) for one in draws(run))
    own = estimate(run.folder.seeds(), run.config, SEEDS, run.drawn_pairs)
    assert own.estimates[0].mean == pytest.approx(own.logged.mean)
    assert own.not_reproduced == 0


async def test_seeds_that_were_lost_before_the_change_count_as_not_reproduced(tmp_path: Path) -> None:
    """What later draws had learnt from them is lost too."""
    run = await changed_run(tmp_path / "run", BRIEF, RETIRED)
    run.folder.shards()[0].write_bytes(b"")
    with run.folder.claimed():
        repair(run.folder)
    await local_run(config_of(run.folder.path, BRIEF, RETIRED))
    run = SavedRun.open(run.folder.path)
    for with_memory in (True, False):
        other = replace(run.config, evolution=replace(run.config.evolution, exploration=0.4))
        found = estimate(run.folder.seeds(), other, SEEDS, run.drawn_pairs, run.config, with_memory)
        assert found.not_reproduced > 0
        assert f"the draws of {found.not_reproduced} seeds do not follow" in (found.warning or "")


@pytest.mark.parametrize("committed", [10, 0])
async def test_seeds_that_a_kill_left_without_a_state_keep_the_pairs_of_their_draw(
    tmp_path: Path, committed: int
) -> None:
    """Of 0 committed seeds there is the first state alone."""
    run = RunDirectory(tmp_path / "run")
    config = config_of(run.path)
    if committed:
        await drained_run(config, committed)
    else:
        run.create(config, SeedFile(config.seeds).scan())
    old = (run.path / "run_state.json").read_bytes()
    await drained_run(config, 24)
    (run.path / "run_state.json").write_bytes(old)
    await local_run(config_of(run.path, BRIEF, RETIRED))
    saved = SavedRun.open(run.path)
    assert len(saved.drawn_pairs) == 2
    assert saved.drawn_pairs[1].drawn > 24 > saved.drawn_pairs[1].learnt
    assert all(reproduces(*one) for one in draws(saved))


def test_a_policy_that_has_no_other_pair_left_is_not_locked_in() -> None:
    def stats(pair: str, probability: float, drawable: bool = True) -> PairStats:
        return PairStats(pair, probability, 0.5, 0.3, 0.7, 5, drawable)

    def locked_in(*pair_stats: PairStats) -> bool:
        snapshots = [Snapshot(seeds, list(pair_stats)) for seeds in (0, 10, 100)]
        return Certainty().summary(snapshots)["locked_in"] is not None

    assert locked_in(stats("a", 0.98), stats("b", 0.02))
    assert not locked_in(stats("a", 1.0), stats("b", 0.0, drawable=False))
    assert not locked_in(stats("a", 0.5), stats("b", 0.5), *(stats(n, 0.0, False) for n in "cdefgh"))
