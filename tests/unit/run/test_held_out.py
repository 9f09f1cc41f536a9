"""Seeds that a run leaves out: which ones, where they go, and that the rest is as before."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.config import SeedsConfig
from staragents.data.seed_file import SeedFile
from staragents.data.seed_row import is_held_out
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import fingerprint, load_config
from tests.support.local_run import drained_run, local_run
from tests.support.paths import FAKE


def seeds_file(path: Path, rows: int = 400) -> Path:
    path.write_text(
        "".join(json.dumps({"instruction": f"Add {n}.", "output": f"Sum {n}."}) + "\n" for n in range(rows))
    )
    return path


def test_a_share_of_the_seeds_is_held_out_by_id_alone(tmp_path: Path) -> None:
    path = seeds_file(tmp_path / "seeds.jsonl")
    everything = {seed.seed_id for seed in SeedFile(SeedsConfig(path=str(path))).seeds()}
    held = SeedFile(SeedsConfig(path=str(path), hold_out=0.1))
    kept, out = [seed.seed_id for seed in held.seeds()], [seed.seed_id for seed in held.held_out()]
    assert set(kept) | set(out) == everything
    assert not set(kept) & set(out)
    assert 20 <= len(out) <= 60
    scan = held.scan()
    assert (scan.seeds, scan.held_out) == (len(kept), len(out))
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert {seed.seed_id for seed in SeedFile(SeedsConfig(path=str(path), hold_out=0.1)).held_out()} == set(
        out
    )
    more = {seed.seed_id for seed in SeedFile(SeedsConfig(path=str(path), hold_out=0.3)).held_out()}
    assert set(out) < more
    assert not any(is_held_out(one, 0.0) for one in everything)


def test_the_limit_counts_held_out_seeds_and_the_start_skips_them(tmp_path: Path) -> None:
    path = seeds_file(tmp_path / "seeds.jsonl")
    config = SeedsConfig(path=str(path), hold_out=0.3, limit=50)
    file = SeedFile(config)
    kept = list(file.seeds())
    assert len(kept) + len(list(file.held_out())) == 50
    assert list(file.seeds(start=10)) == kept[10:]


def test_all_seeds_held_out_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    for number in range(50):
        path.write_text(json.dumps({"instruction": f"Say {number}.", "output": "Yes."}) + "\n")
        config = SeedsConfig(path=str(path), hold_out=0.9)
        if list(SeedFile(config).held_out()):
            break
    with pytest.raises(BadInput, match=r"seeds\.hold_out: expected a smaller share than 0\.9") as raised:
        SeedFile(config).scan()
    assert len(raised.value.problems) == 1


def test_a_run_leaves_them_out_and_writes_them_also_when_resumed(tmp_path: Path) -> None:
    config = load_config(FAKE, [f"output.dir={tmp_path / 'run'}", "seeds.limit=16", "seeds.hold_out=0.3"])
    asyncio.run(drained_run(config, 3))
    summary = asyncio.run(local_run(config))
    run = RunDirectory(tmp_path / "run")
    out = [json.loads(line) for line in (run.path / "held_out.jsonl").read_text().splitlines()]
    used = {candidates[0].seed_id for candidates in run.seeds()}
    assert out
    assert len(out) + len(used) == 16
    assert not {row["seed_id"] for row in out} & used
    assert {row["source"] for row in out} == {"seed"}
    assert summary["funnel"]["held_out"] == len(out)
    assert summary["funnel"]["seeds"] == len(used)
    again = SeedFile(SeedsConfig(path=str(run.path / "held_out.jsonl")))
    assert [seed.seed_id for seed in again.seeds()] == [row["seed_id"] for row in out]


def test_runs_without_it_keep_their_fingerprint(tmp_path: Path) -> None:
    plain = load_config(FAKE, [f"output.dir={tmp_path}"])
    none = load_config(FAKE, [f"output.dir={tmp_path}", "seeds.hold_out=0"])
    some = load_config(FAKE, [f"output.dir={tmp_path}", "seeds.hold_out=0.1"])
    assert fingerprint(plain) == fingerprint(none) != fingerprint(some)
