"""Our speed beside that of others who do the same work: ratios of runs made in turn on this machine.

    make bench                                               # all peers that are installed
    python benchmarks/peers/compare.py --cache DIR --install # install the peers in DIR, then compare

| peer | its work | ours |
|---|---|---|
| distilabel | rewrite, answer, judge with an instant model, in batches of 50 | the whole path on Ray |
| naive IFD | two forward passes a row, as the scripts of Superfiltering and Cherry_LLM | packed scoring |
| Qdrant's embedded engine | 150 of 20,000 outcomes, exact | our bank, seeds known before their draw |

Each round runs the peer and then us; the ratio is that of a round. Other programs on the machine slow both.
The table becomes the section "Beside peers" of benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

HERE = Path(__file__).parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
SECTION = "## Beside peers\n"
DISTILABEL, IFD, BANK = "distilabel", "ifd", "qdrant-edge"
POINTS, NEIGHBOURS = 20_000, 150
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

    def compare(self, rounds: int) -> str:
        """Run both in turn and print a line per round. Returns a row of the table."""
        theirs, ours, ratios = list[float](), list[float](), list[float]()
        for number in range(rounds):
            theirs.append(self.theirs())
            ours.append(self.ours())
            ratios.append(ours[-1] / theirs[-1])
            line = f"{theirs[-1]:8.1f}, ours {ours[-1]:8.1f} {self.unit}: {ratios[-1]:.2f} times"
            print(f"{self.name}, round {number + 1}: {line}", flush=True)
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        return f"| {self.name} | {self.unit} | {_range(theirs)} | {_range(ours)} | {ratio} | {rounds} |"


def _range(rates: list[float]) -> str:
    return f"{min(rates):.4g} to {max(rates):.4g}"


def written(text: str, rows: list[str]) -> str:
    """`text` of RESULTS.md with these rows as its section, in place of earlier ones."""
    table = [
        "| peer | unit | theirs | ours | times (median, range) | rounds |",
        "|---|---|---|---|---|---|",
        *rows,
    ]
    section = "\n".join([SECTION, f"`make bench`, {os.cpu_count()} cores:", "", *table])
    before, _, rest = text.partition(SECTION)
    _, heading, after = rest.partition("\n## ")
    parts = [before.strip(), section, f"{heading}{after}".strip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True, help="folder for the environments of peers")
    parser.add_argument("--install", action="store_true", help="install missing peers there first")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=700, help="for distilabel and the path on Ray")
    parser.add_argument("--rows", type=int, default=48, help="for IFD")
    parser.add_argument("--only", choices=(DISTILABEL, IFD, BANK), help="one peer; RESULTS.md stays as it is")
    arguments = parser.parse_args()
    if arguments.install:
        install(arguments.cache)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        pairs: dict[str, Callable[[], Pair]] = {
            DISTILABEL: lambda: distilabel_pair(arguments.cache, Path(folder), arguments.seeds),
            IFD: lambda: ifd_pair(arguments.rows),
            BANK: lambda: bank_pair(arguments.cache),
        }
        for name, pair in pairs.items():
            if arguments.only in (None, name):
                try:
                    rows.append(pair().compare(arguments.rounds))
                except Missing as missing:
                    print(f"{name}: {missing}", flush=True)
    for row in rows:
        print(row)
    if len(rows) == len(pairs):
        RESULTS.write_text(written(RESULTS.read_text(encoding="utf-8"), rows), encoding="utf-8")
        print(f"written to {RESULTS}")


def python_of(cache: Path) -> Path:
    return cache / DISTILABEL / "bin" / "python"


def install(cache: Path) -> None:
    """An environment for distilabel, whose dependencies exclude ours, and a folder with Qdrant's engine."""
    venv.create(cache / DISTILABEL, with_pip=True)
    pip = [str(python_of(cache)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(HERE / "distilabel_requirements.txt")], check=True)
    pip += ["--no-deps", "--upgrade", "--target", str(cache / BANK)]
    subprocess.run([*pip, "-r", str(HERE / "qdrant_edge_requirements.txt")], check=True)


def not_installed(cache: Path) -> Missing:
    command = f"python benchmarks/peers/compare.py --cache {cache} --install"
    return Missing(f"not installed; install it and compare: {command}")


def distilabel_pair(cache: Path, folder: Path, seeds: int) -> Pair:
    """Candidates per second, without start and stop. Raises Missing."""
    from pipeline import many_seeds, through_ray, through_ray_config

    python = python_of(cache)
    if not python.is_file():
        raise not_installed(cache)
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
        "naive IFD loop",
        "rows/s",
        lambda: rate(functools.partial(naive, model, tokenizer, rows)),
        lambda: rate(functools.partial(scorer.score, rows)),
    )


def bank_pair(cache: Path) -> Pair:
    """Recalls a second of CPU time. Raises Missing."""
    if not (cache / BANK).is_dir():
        raise not_installed(cache)
    sys.path.append(str(cache / BANK))
    from memory import CALLS, memories_of, ours, with_qdrant_edge

    memories = memories_of(POINTS + CALLS)

    def rate(engine: Callable[..., Coroutine[Any, Any, float]]) -> float:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            return 1e3 / asyncio.run(engine(memories, POINTS, NEIGHBOURS, folder))

    return Pair(
        "Qdrant's embedded engine",
        "recalls per CPU second",
        lambda: rate(with_qdrant_edge),
        lambda: rate(ours),
    )


if __name__ == "__main__":
    main()
