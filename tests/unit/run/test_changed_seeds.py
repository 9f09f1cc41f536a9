"""Seeds that change while a run is running end it, and no other seed gets into the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from staragents.base.errors import RunFailed
from staragents.config import Config, SeedsConfig
from staragents.data.seed_digest import BLOCK
from staragents.data.seed_file import SeedFile
from staragents.validation.loading import load_config
from tests.support.local_run import decided, drained_run, local_run
from tests.support.paths import FAKE

SEEDS = 30


def lines(numbers: range, said: str = "It is") -> str:
    return "".join(
        json.dumps({"instruction": f"Say {n} in words.", "output": f"{said} {n}."}) + "\n" for n in numbers
    )


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write(lines(range(SEEDS, SEEDS + 10)))


def cut(path: Path) -> None:
    path.write_text(lines(range(SEEDS - 10)))


def edit(path: Path) -> None:
    path.write_text(lines(range(20)) + lines(range(20, SEEDS), "That was"))


CHANGES = {"more seeds": append, "fewer seeds": cut, "other seeds": edit}


def config_for(folder: Path) -> Config:
    path = folder / "seeds.jsonl"
    path.write_text(lines(range(SEEDS)))
    settings = (f"seeds.path={path}", "seeds.columns.instruction=instruction", "run.admitted_seeds=4")
    return load_config(FAKE, [f"output.dir={folder / 'run'}", "memory.warmup=0", *settings])


@pytest.mark.parametrize("found", CHANGES)
@pytest.mark.parametrize("resumed", [False, True])
async def test_seeds_that_change_end_the_run(tmp_path: Path, found: str, resumed: bool) -> None:
    config, path = config_for(tmp_path), tmp_path / "seeds.jsonl"
    if resumed:
        await drained_run(config, 3)
    with pytest.raises(RunFailed, match=rf"^seeds\.path: .* has changed during the run: {found}; restore it"):
        await local_run(config, lambda coordinator: CHANGES[found](path))
    path.write_text(lines(range(SEEDS)))
    summary = await local_run(config)
    assert summary["funnel"]["finished"] == SEEDS
    read = [seed.seed_id for seed in SeedFile(config.seeds).seeds()]
    assert list(dict.fromkeys(row["seed_id"] for row in decided(tmp_path / "run"))) == read


MANY = 3 * BLOCK + 10
LAST = MANY - 1


def read_until_failure(seeds: Iterator[object]) -> tuple[int, str]:
    """The number of seeds before RunFailed, and what it says was found."""
    read: list[object] = []
    with pytest.raises(RunFailed) as caught:
        read.extend(seeds)
    return len(read), str(caught.value).split(": ")[-1].partition(";")[0]


@pytest.mark.parametrize(
    ("content", "seeds", "found"),
    [
        (lambda: lines(range(MANY + 1)), MANY, "more seeds"),
        (lambda: lines(range(2 * BLOCK + 1)), 2 * BLOCK, "fewer seeds"),
        (lambda: lines(range(BLOCK)) + lines(range(BLOCK, MANY), "No,"), BLOCK, "other seeds"),
        (lambda: lines(range(1, MANY + 1)), 0, "other seeds"),
        (lambda: lines(range(LAST)) + lines(range(LAST, MANY), "No,"), 3 * BLOCK, "other seeds"),
    ],
)
@pytest.mark.parametrize("start", [0, 10])
def test_no_seed_is_read_that_the_scan_did_not_find(
    tmp_path: Path, content: Callable[[], str], seeds: int, found: str, start: int
) -> None:
    path = tmp_path / "seeds.jsonl"
    path.write_text(lines(range(MANY)))
    file = SeedFile(SeedsConfig(path=str(path)))
    scan = file.scan()
    assert list(file.seeds_of(scan, start)) == list(file.seeds(start))
    path.write_text(content())
    number, said = read_until_failure(SeedFile(SeedsConfig(path=str(path))).seeds_of(scan, start))
    # Those after the last mark come once all are compared.
    assert number in (max(0, seeds - start), max(0, seeds // BLOCK * BLOCK - start))
    assert said == found


@pytest.mark.parametrize("seeds", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK])
def test_rows_beyond_the_limit_may_change(tmp_path: Path, seeds: int) -> None:
    path = tmp_path / "seeds.jsonl"
    path.write_text(lines(range(seeds)))
    config = SeedsConfig(path=str(path), limit=seeds)
    scan, read = SeedFile(config).scan(), list(SeedFile(config).seeds())
    path.write_text(lines(range(seeds + BLOCK)))
    assert list(SeedFile(config).seeds_of(scan)) == read


def test_a_file_that_can_no_longer_be_read_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    path.write_text(lines(range(SEEDS)))
    file = SeedFile(SeedsConfig(path=str(path)))
    scan = file.scan()
    path.unlink()
    with pytest.raises(RunFailed, match=r"^seeds\.path: .* has changed during the run"):
        list(file.seeds_of(scan))
