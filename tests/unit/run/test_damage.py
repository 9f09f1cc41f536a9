"""Missing or damaged files of a run directory: one line each, and a repair that keeps the rest."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cluster.cli.repair import repair as repair_command
from cluster.cli.status import saved_progress
from staragents.base.errors import BadInput, RunFailed
from staragents.config import Config
from staragents.memory.local_bank import FILE
from staragents.memory.outcome_log import OutcomeLog
from staragents.run.repair import repair
from staragents.run_directory.damage import Damaged
from staragents.run_directory.manifest import MANIFEST, RESULTS
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config, with_overrides
from tests.support.local_run import LocalHandle, decided, drained_run, local_handles, local_run, state
from tests.support.paths import FAKE

pytestmark = pytest.mark.slow

OVERRIDES = [
    "seeds.limit=16", "run.admitted_seeds=3", "run.checkpoint_s=0", "memory.warmup=0",
    "memory.neighbours=4",
]  # fmt: skip


@cache
def config() -> Config:
    return load_config(FAKE, OVERRIDES)


def config_for(folder: Path) -> Config:
    return replace(config(), output=replace(config().output, dir=str(folder)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 16 seeds, a shard each."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    asyncio.run(local_run(config_for(folder)))
    return folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, stopped by Ctrl-C after some seeds."""
    folder = tmp_path_factory.mktemp("runs") / "stopped"
    asyncio.run(drained_run(config_for(folder), 6))
    return folder


def copy_of(run: Path, folder: Path) -> Path:
    shutil.copytree(run, folder / "run")
    return folder / "run"


def files_of(folder: Path) -> dict[str, bytes]:
    """Excludes locks, which every command writes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", ".writer.lock", ".owner.json")
    }


def shard(folder: Path, number: int) -> Path:
    return folder / "candidates" / f"part-{number:06d}.parquet"


def flip(path: Path, position: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int(position * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


STATE_DAMAGE: dict[str, Callable[[Path], Any]] = {
    "a flipped bit": lambda path: flip(path, 0.3),
    "another flipped bit": lambda path: flip(path, 0.7),
    "half of it": truncate,
    "nothing in it": lambda path: path.write_text(""),
    "an empty object": lambda path: path.write_text("{}"),
    "a list": lambda path: path.write_text("[]"),
    "null": lambda path: path.write_text("null"),
    "a number": lambda path: path.write_text("1e999"),
    "bytes that are no text": lambda path: path.write_bytes(b"\xff\xfe\x00{"),
    "deep nesting": lambda path: path.write_text("[" * 100_000),
    "a renamed key": lambda path: edit(path, lambda state: state.update(curser=state.pop("cursor"))),
    "a renamed key that may be missing": lambda path: edit(
        path, lambda state: state.update(evolutoin=state.pop("evolution"))
    ),
    "a missing checksum": lambda path: edit(path, lambda state: state.pop("sha256")),
    "another cursor": lambda path: edit(path, lambda state: state.update(cursor=state["cursor"] - 1)),
    "a cursor that is text": lambda path: edit(path, lambda state: state.update(cursor="6")),
    "a shard that was never there": lambda path: edit(
        path, lambda state: state["shards"].append(dict(state["shards"][0], name="../../x.parquet"))
    ),
    "another version": lambda path: edit(path, lambda state: state.update(format=99)),
    "a folder in its place": lambda path: (path.unlink(), path.mkdir()),
    "no such file": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", STATE_DAMAGE.values(), ids=STATE_DAMAGE.keys())
def test_a_damaged_state_is_one_line_and_nothing_is_written(
    damage: Callable[[Path], Any], whole: Path, tmp_path: Path
) -> None:
    run = copy_of(whole, tmp_path)
    damage(run / "run_state.json")
    before = files_of(run)
    with pytest.raises(Damaged) as told:
        asyncio.run(local_run(config_for(run)))
    (line,) = told.value.problems
    assert line.startswith(f"{run}/run_state.json: ")
    assert line.endswith(f"staragents repair {run}")
    assert files_of(run) == before


@pytest.mark.parametrize("damage", ["a flipped bit", "no such file", "a folder in its place"])
@pytest.mark.parametrize("kind", ["whole", "stopped"])
def test_a_lost_state_is_rebuilt_from_the_candidates(
    damage: str, kind: str, whole: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run = copy_of(request.getfixturevalue(kind), tmp_path)
    seeds = {row["seed_id"] for row in decided(run)}
    STATE_DAMAGE[damage](run / "run_state.json")
    done = repaired(run)
    assert done.restarted
    assert done.kept == len(seeds)
    handles = counted(config_for(run))
    asyncio.run(local_run(config_for(run), handles=handles))
    assert decided(run) == decided(whole)
    assert (run / "dataset.jsonl").read_bytes() == (whole / "dataset.jsonl").read_bytes()
    asked = sum(handle.requests for handle in handles.values())
    assert (asked == 0) == (kind == "whole"), "no model is called for existing candidates"


def repaired(run: Path) -> Any:
    folder = RunDirectory(run)
    with folder.claimed():
        return repair(folder)


def counted(config: Config) -> dict[str, LocalHandle]:
    return asyncio.run(local_handles(config))


SHARD_DAMAGE: dict[str, Callable[[Path], Any]] = {
    "a flipped bit": flip,
    "half of it": truncate,
    "nothing in it": lambda path: path.write_bytes(b""),
    "another shard": lambda path: shutil.copy(path.with_name("part-000000.parquet"), path),
    "a folder in its place": lambda path: (path.unlink(), path.mkdir()),
    "no such file": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", SHARD_DAMAGE.values(), ids=SHARD_DAMAGE.keys())
@pytest.mark.parametrize("kind", ["whole", "stopped"])
def test_a_lost_shard_is_detected_first_and_only_its_seeds_are_redone(
    damage: Callable[[Path], Any], kind: str, whole: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run = copy_of(request.getfixturevalue(kind), tmp_path)
    committed = len({row["seed_id"] for row in decided(run)})
    damage(shard(run, 2))
    before = files_of(run)
    with pytest.raises(Damaged) as told:
        asyncio.run(local_run(config_for(run)))
    (line,) = told.value.problems
    assert line.startswith(f"{shard(run, 2)}: ")
    assert files_of(run) == before
    done = repaired(run)
    assert (done.kept, done.lost) == (committed - 1, 1)
    handles = counted(config_for(run))
    asyncio.run(local_run(config_for(run), handles=handles))
    assert decided(run) == decided(whole)
    assert (run / "dataset.jsonl").read_bytes() == (whole / "dataset.jsonl").read_bytes()
    if kind == "whole":
        asked = sum(handle.requests for handle in handles.values())
        assert 0 < asked < 40, "only one of 16 seeds is worked on"
    assert not (run / "salvage").exists()


def test_a_repaired_run_keeps_its_running_time_and_ends_where_it_had_ended(tmp_path: Path) -> None:
    run = tmp_path / "run"
    limited = with_overrides(config_for(run), ["run.max_minutes=0.0001"])
    before = asyncio.run(local_run(limited))
    assert before["run"]["stopped"]["rule"] == "run.max_minutes"
    edit_state(run, seconds=3600.0)
    shard(run, 1).unlink()
    assert repaired(run).restarted
    assert state(run)["seconds"] == 3600.0
    after = asyncio.run(local_run(limited))
    assert after["funnel"]["finished"] == before["funnel"]["finished"]
    assert after["run"]["stopped"] == before["run"]["stopped"]
    assert state(run)["seconds"] > 3600.0
    assert after["run"]["wall_seconds"] > 3600.0


def edit_state(run: Path, **values: Any) -> None:
    folder = RunDirectory(run)
    folder.write_state({**folder.state(), **values})  # type: ignore[typeddict-item]


@pytest.mark.parametrize("name", [*RESULTS, MANIFEST])
@pytest.mark.parametrize("damage", [flip, truncate, Path.unlink], ids=["flipped", "half", "gone"])
def test_damaged_results_of_a_finished_run_are_detected_and_rewritten(
    name: str, damage: Callable[[Path], Any], whole: Path, tmp_path: Path
) -> None:
    run = copy_of(whole, tmp_path)
    damage(run / name)
    if name == MANIFEST and not (run / name).exists():
        asyncio.run(local_run(config_for(run)))  # As after a kill while results were written.
    else:
        with pytest.raises(Damaged, match=rf"{name}: .*staragents repair"):
            asyncio.run(local_run(config_for(run)))
        done = repaired(run)
        assert done.results_written
        assert not done.restarted
    for file in RESULTS:
        if file.endswith((".parquet", ".jsonl")):
            assert (run / file).read_bytes() == (whole / file).read_bytes(), file
    asyncio.run(local_run(config_for(run)))


def test_status_does_not_call_a_run_with_a_missing_shard_finished(whole: Path, tmp_path: Path) -> None:
    run = copy_of(whole, tmp_path)
    assert saved_progress(str(run))["finished"]  # type: ignore[index]
    shard(run, 1).unlink()
    with pytest.raises(Damaged, match=r"part-000001\.parquet: missing; .* staragents repair"):
        saved_progress(str(run))


def test_a_stale_dataset_is_not_called_finished(whole: Path, tmp_path: Path, stopped: Path) -> None:
    """Stopped at some seeds, resumed, and killed between the last checkpoint and the results."""
    run = copy_of(whole, tmp_path)
    for name in (*RESULTS, MANIFEST):
        if name != "config.yaml":
            shutil.copy(stopped / name, run / name)
    asyncio.run(local_run(config_for(run)))
    assert (run / "dataset.jsonl").read_bytes() == (whole / "dataset.jsonl").read_bytes()
    assert json.loads((run / "summary.json").read_text())["funnel"]["finished"] == 16


@pytest.mark.parametrize("left", range(len(RESULTS)))
def test_results_that_a_kill_left_half_written_are_written_by_the_same_command(
    left: int, whole: Path, tmp_path: Path
) -> None:
    run = copy_of(whole, tmp_path)
    for name in [*RESULTS[left + 1 :], MANIFEST]:
        (run / name).unlink()
    handles = counted(config_for(run))
    asyncio.run(local_run(config_for(run), handles=handles))
    assert {name for name in (*RESULTS, MANIFEST) if not (run / name).exists()} == set()
    assert (run / "dataset.jsonl").read_bytes() == (whole / "dataset.jsonl").read_bytes()
    assert sum(handle.requests for handle in handles.values()) == 0


def test_a_run_with_an_older_state_adopts_the_newer_candidates(
    whole: Path, stopped: Path, tmp_path: Path
) -> None:
    run = copy_of(stopped, tmp_path)
    asyncio.run(local_run(config_for(run)))
    shutil.copy(stopped / "run_state.json", run / "run_state.json")
    handles = counted(config_for(run))
    asyncio.run(local_run(config_for(run), handles=handles))
    assert decided(run) == decided(whole)
    assert sum(handle.requests for handle in handles.values()) == 0


def test_a_bank_that_lacks_seeds_gets_them_from_the_candidates(
    whole: Path, stopped: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(bank: Path) -> None:
        shutil.rmtree(bank)

    def broken(bank: Path) -> None:
        flip(bank / FILE)

    def short(bank: Path) -> None:
        truncate(bank / FILE)

    def of_an_earlier_version(bank: Path) -> None:
        (bank / FILE).unlink()
        (bank / "collection" / "staragents-local").mkdir(parents=True)
        (bank / "collection" / "staragents-local" / "storage.sqlite").write_bytes(b"SQLite format 3\0")
        (bank / "meta.json").write_text("{}")

    for number, damage in enumerate((gone, broken, short, of_an_earlier_version)):
        run = copy_of(stopped, tmp_path / str(number))
        damage(run / "memory")
        caplog.clear()
        asyncio.run(local_run(config_for(run)))
        assert "the memory bank lacks" in caplog.text
        assert decided(run) == decided(whole)
        assert (run / "memory" / FILE).read_bytes() == (whole / "memory" / FILE).read_bytes()


async def test_a_local_memory_bank_that_fails_ends_the_run_and_changes_no_draw(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, calls = OutcomeLog.append, iter(range(100))

    def full(self: OutcomeLog, records: Any) -> None:
        if next(calls) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(self, records)

    monkeypatch.setattr(OutcomeLog, "append", full)
    run = tmp_path / "run"
    with pytest.raises(RunFailed, match=r"the memory bank failed \(OSError: .*No space left on device"):
        await local_run(config_for(run))
    monkeypatch.setattr(OutcomeLog, "append", append)
    await local_run(config_for(run))
    assert decided(run) == decided(whole)


def test_a_folder_with_other_content_is_neither_run_in_nor_repaired(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("important")
    with pytest.raises(BadInput, match=r"neither empty nor a run directory \(it contains 'thesis\.tex'\)"):
        asyncio.run(local_run(config_for(tmp_path)))
    result = CliRunner().invoke(repair_command, [str(tmp_path)])
    assert isinstance(result.exception, BadInput)
    assert {path.name for path in tmp_path.iterdir()} == {"thesis.tex"}


def test_repair_reports_what_it_found_and_a_dry_run_changes_nothing(whole: Path, tmp_path: Path) -> None:
    run = copy_of(whole, tmp_path)
    truncate(shard(run, 3))
    before = files_of(run)
    result = CliRunner().invoke(repair_command, [str(run), "--dry-run"])
    assert isinstance(result.exception, Damaged)
    assert files_of(run) == before
    result = CliRunner().invoke(repair_command, [str(run), "--no-run", "--json"], catch_exceptions=False)
    said = json.loads(result.output)
    assert (said["restarted"], said["seeds"], said["kept"], said["lost"]) == (True, 16, 15, 1)
    assert said["damage"][0]["file"] == "candidates/part-000003.parquet"
    assert (run / said["moved"][0]).stat().st_size > 0, "kept aside"


def test_repair_asks_for_a_config_that_is_lost_too(whole: Path, tmp_path: Path) -> None:
    run = copy_of(whole, tmp_path)
    (run / "run_state.json").write_text("{")
    (run / "config.yaml").write_text("\x00")
    with pytest.raises(BadInput, match=r"pass the config that the run was started with: staragents repair"):
        repaired(run)
    folder = RunDirectory(run)
    with folder.claimed():
        assert repair(folder, config_for(run)).kept == 16
    asyncio.run(local_run(config_for(run)))
    assert decided(run) == decided(whole)
