"""A full disk ends a run with one line; no file is torn, and after making room the same run resumes."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from staragents.base.errors import BadInput, RunFailed
from staragents.config import Config
from staragents.data.seed_file import SeedFile
from staragents.run.work import Left, finish, work_of
from staragents.run_directory.manifest import MANIFEST
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.local_run import decided, local_run
from tests.support.paths import FAKE, ROOT

# The memory bank would become unavailable once its own file is full, and pairs would be drawn without it.
OVERRIDES = ["seeds.limit=40", "run.admitted_seeds=4", "run.checkpoint_s=0", "memory.enabled=false"]
LIMITED = """
import asyncio, resource, sys
from staragents.validation.loading import load_config
from staragents.base.errors import RunFailed
from staragents.agents.language import language_of
from tests.support.local_run import local_run

# Unpacked on another disk, when the first seed comes.
language_of("A sentence that is long enough to be looked at.")
# A file may have so many bytes, then writing fails as on a full disk (with another number).
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
try:
    asyncio.run(local_run(load_config("configs/fake.yaml", sys.argv[2:])))
except RunFailed as error:
    print(error)
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "undisturbed"
    asyncio.run(local_run(load_config(FAKE, [*OVERRIDES, f"output.dir={path}"])))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "full"),
    [(22_000, "a shard"), (200_000, "the report, when all seeds are done")],
)
def test_a_full_disk_ends_a_run_with_one_line_and_it_resumes_with_room(
    undisturbed: Path, tmp_path: Path, limit: int, full: str
) -> None:
    path = tmp_path / "run"
    arguments = [*OVERRIDES, f"output.dir={path}"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.stdout == (
        f"output.dir: can't write to {path}: File too large; free some space, then "
        "run the same command to resume\n"
    ), done.stderr
    assert not list(path.rglob("*.tmp"))
    whole = decided(undisturbed)
    part = decided(path)
    assert part == whole[: len(part)]
    assert part
    assert (len(part) == len(whole)) == (limit > 22_000), full

    asyncio.run(local_run(load_config(FAKE, arguments)))
    assert decided(path) == whole
    assert (path / "dataset.jsonl").read_bytes() == (undisturbed / "dataset.jsonl").read_bytes()


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text can be written to config.yaml."""
    write = Path.write_text

    def failing(path: Path, *given: Any, **named: Any) -> int:
        if "config.yaml" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, *given, **named)

    monkeypatch.setattr(Path, "write_text", failing)


def titled(folder: Path) -> Config:
    return load_config(FAKE, [*OVERRIDES, "seeds.limit=2", f"output.dir={folder}", "output.title=Another"])


@pytest.mark.usefixtures("full_disk")
def test_a_finished_run_keeps_its_results_if_its_new_config_does_not_fit(
    finished_run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    config = load_config(
        FAKE, [f"output.dir={folder}", "seeds.limit=40", "memory.warmup=0", "memory.min_similarity=0.2",
               "output.title=Another"],
    )  # fmt: skip
    work = work_of(config, SeedFile(config.seeds).scan())
    assert work.left is Left.results
    with pytest.raises(RunFailed, match=r"No space left on device; free some space, then run the same"):
        finish(work)
    assert (folder / MANIFEST).read_bytes() == (finished_run / MANIFEST).read_bytes()
    assert RunDirectory(folder).results()


@pytest.mark.usefixtures("full_disk")
def test_only_a_new_run_is_bad_input_on_a_full_disk(tmp_path: Path) -> None:
    config = titled(tmp_path / "run")
    scan, run = SeedFile(config.seeds).scan(), RunDirectory(tmp_path / "run")
    with pytest.raises(BadInput, match=r"^output\.dir: can't write to .*/run: No space left on device$"):
        run.create(config, scan)


def test_a_run_that_has_begun_fails_on_a_full_disk(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    config = titled(tmp_path / "run")
    scan, run = SeedFile(config.seeds).scan(), RunDirectory(tmp_path / "run")
    run.create(load_config(FAKE, [*OVERRIDES, "seeds.limit=2", f"output.dir={run.path}"]), scan)
    request.getfixturevalue("full_disk")
    with pytest.raises(RunFailed, match=r"No space left on device; free some space, then run the same"):
        run.create(config, scan)
