"""Our speed beside that of others who do the same work: ratios of runs made in turn on this machine.

    make bench                                               # all peers that are installed
    python benchmarks/peers/compare.py --cache DIR --install # install distilabel in DIR, then compare

| peer | its work | ours |
|---|---|---|
| distilabel | rewrite, answer, judge with an instant model, in batches of 50 | the whole path on Ray |
| naive IFD | two forward passes a row, as the scripts of Superfiltering and Cherry_LLM | packed scoring |

Each round runs the peer and then us; the ratio is that of a round. Other programs on the machine slow both.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

HERE = Path(__file__).parent
DISTILABEL = "distilabel"
IFD_MODEL = "packaged:smollm2-135m-instruct"
PEER_S = 900.0


class Missing(Exception):
    """A peer is not installed; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A peer and us, each as a function that does the work once and returns its rate."""

    name: str
    unit: str
    theirs: Callable[[], float]
    ours: Callable[[], float]

    def compare(self, rounds: int) -> None:
        """Run both in turn and print a line per round, then the ratio's median and spread."""
        ratios = []
        for number in range(rounds):
            theirs, ours = self.theirs(), self.ours()
            ratios.append(ours / theirs)
            line = f"{theirs:8.1f}, ours {ours:8.1f} {self.unit}: {ratios[-1]:.2f} times"
            print(f"{self.name}, round {number + 1}: {line}", flush=True)
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{self.name}: {statistics.median(ratios):.2f} times ({spread}), {rounds} rounds", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True, help="folder for the environments of peers")
    parser.add_argument("--install", action="store_true", help="install missing peers there first")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=700, help="for distilabel and the path on Ray")
    parser.add_argument("--rows", type=int, default=48, help="for IFD")
    parser.add_argument("--only", choices=(DISTILABEL, "ifd"), help="one peer")
    arguments = parser.parse_args()
    if arguments.install:
        install(arguments.cache)
    with tempfile.TemporaryDirectory() as folder:
        for name, pair in (
            (DISTILABEL, lambda: distilabel_pair(arguments.cache, Path(folder), arguments.seeds)),
            ("ifd", lambda: ifd_pair(arguments.rows)),
        ):
            if arguments.only in (None, name):
                try:
                    pair().compare(arguments.rounds)
                except Missing as missing:
                    print(f"{name}: {missing}", flush=True)


def python_of(cache: Path) -> Path:
    return cache / DISTILABEL / "bin" / "python"


def install(cache: Path) -> None:
    """An environment for distilabel: its dependencies exclude ours."""
    venv.create(cache / DISTILABEL, with_pip=True)
    requirements = str(HERE / "distilabel_requirements.txt")
    pip = [str(python_of(cache)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", requirements], check=True)


def distilabel_pair(cache: Path, folder: Path, seeds: int) -> Pair:
    """Candidates per second, without start and stop. Raises Missing."""
    from pipeline import many_seeds, through_ray, through_ray_config

    python = python_of(cache)
    if not python.is_file():
        command = f"python benchmarks/peers/compare.py --cache {cache} --install"
        raise Missing(f"not installed; install it and compare: {command}")
    path = many_seeds(folder, seeds)
    runs = iter(range(10**6))

    def theirs() -> float:
        command = [str(python), str(HERE / "distilabel_pipeline.py"), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PEER_S)
        if done.returncode:
            raise Missing(f"its run failed: {done.stderr.strip().splitlines()[-1:]}")
        found = json.loads(done.stdout.strip().splitlines()[-1])
        return float(found["rows"] / found["seconds"])

    def ours() -> float:
        config = through_ray_config(str(folder / f"run-{next(runs)}"), path, "run.checkpoint_s=5")
        return through_ray(config)[0]

    return Pair(DISTILABEL, "candidates/s", theirs, ours)


def ifd_pair(count: int) -> Pair:
    """Rows of the bundled seeds per second, models loaded. Raises Missing."""
    try:
        from ifd import naive, resolved, timed

        from staragents.scoring.ifd_model import IfdModel
        from staragents.scoring.model_loading import Loading, load

        path = resolved(IFD_MODEL)
    except (ImportError, ValueError) as error:
        raise Missing(f"needs torch and the packaged models ({error}): make models") from error
    from staragents.config import SeedsConfig
    from staragents.data.seed_file import SeedFile
    from staragents.scoring.ifd import ScoreRow

    seeds = list(SeedFile(SeedsConfig(path="bundled:self-instruct")).seeds())[:count]
    rows = [ScoreRow(seed.messages) for seed in seeds]
    model, tokenizer = load(path, Loading())
    scorer = IfdModel(path, min_answer_tokens=1)

    def rate(step: Callable[[], object]) -> float:
        return len(rows) / timed(step, 1)[1]

    return Pair(
        "naive IFD",
        "rows/s",
        lambda: rate(functools.partial(naive, model, tokenizer, rows)),
        lambda: rate(functools.partial(scorer.score, rows)),
    )


if __name__ == "__main__":
    main()
