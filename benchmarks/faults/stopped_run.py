"""Damage to the files of a stopped run: `run` must reject it, `repair` fix it, and the run then finish like
an undamaged one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

from staragents.run_directory.run_directory import RunDirectory

from .job import WrongEnd
from .scene import Scene, Struck

BAD_INPUT = 2
UNWATCHED = {".lock", ".writer.lock", ".owner.json"}


def shard_missing(scene: Scene) -> Struck | None:
    return _refused_until_repaired(scene, _random_shard, _delete)


def shard_damaged(scene: Scene) -> Struck | None:
    return _refused_until_repaired(scene, _random_shard, _harm)


def state_damaged(scene: Scene) -> Struck | None:
    return _refused_until_repaired(scene, lambda run, rng: run.path / "run_state.json", _harm_state)


def _refused_until_repaired(
    scene: Scene,
    choose: Callable[[RunDirectory, random.Random], Path],
    disturb: Callable[[Path, random.Random], str],
) -> Struck | None:
    run = scene.job.run
    if not run.shards():
        return None
    if not scene.job.kill():
        return None
    scene.cluster.wait_for_writers()
    file = choose(run, scene.rng)
    what = disturb(file, scene.rng)
    before = _listing(run.path)
    scene.job.start()
    scene.job.must_end(BAD_INPUT, file.name, "staragents repair")
    if changed := before ^ _listing(run.path):
        raise WrongEnd(f"the rejected run wrote to {sorted({name for name, *_ in changed})}")
    scene.job.command("repair", str(run.path), "--no-run")
    scene.job.start()
    return Struck(f"{file.name} ({what})")


def _random_shard(run: RunDirectory, rng: random.Random) -> Path:
    return rng.choice(run.shards())


def _delete(file: Path, rng: random.Random) -> str:
    file.unlink()
    return "deleted"


def _harm(file: Path, rng: random.Random) -> str:
    content = bytearray(file.read_bytes())
    what = rng.choice(("bit flipped", "truncated", "emptied"))
    if what == "bit flipped":
        position = rng.randrange(len(content))
        content[position] ^= 1 << rng.randrange(8)
        what += f" in byte {position}"
    else:
        del content[rng.randrange(len(content)) if what == "truncated" else 0 :]
    file.write_bytes(content)
    return what


def _harm_state(file: Path, rng: random.Random) -> str:
    if rng.random() < 0.75:
        return _harm(file, rng)
    state = json.loads(file.read_text(encoding="utf-8"))
    key = rng.choice(sorted(state))
    state[f"{key}_"] = state.pop(key)
    file.write_text(json.dumps(state), encoding="utf-8")
    return f"{key} renamed"


def _listing(path: Path) -> set[tuple[str, int, int]]:
    return {
        (str(file.relative_to(path)), file.stat().st_size, file.stat().st_mtime_ns)
        for file in path.rglob("*")
        if file.is_file() and file.name not in UNWATCHED
    }
