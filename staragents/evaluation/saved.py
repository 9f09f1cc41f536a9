"""Finds saved evaluations of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

from staragents.evaluation.evaluation import RESULT, Evaluation
from staragents.run_directory.manifest import read_manifest, results_digest


def reward_sentences(run: Path) -> list[str]:
    """Whether what the run measured about its pairs predicts training, by the newest evaluation of pairs of
    these results. Without one, a line if there is one of earlier results in this folder; a line for each file
    that is damaged. [] without any of them."""
    manifest = read_manifest(run)
    results = None if manifest is None else [results_digest(manifest)]
    found: list[str] = []
    earlier: list[str] = []
    damaged: list[str] = []
    for path in _files_of(run):
        name = path.parent.name
        try:
            result = Evaluation.from_dict(json.loads(path.read_text(encoding="utf-8")))
            if result.by_pair is None:
                continue
            if result.results == results:
                found = [f"{name}: {sentence}" for sentence in result.by_pair.sentences()]
            elif _is_of(result, run):
                earlier = [
                    f"{name}: its evaluation by pair is not of the run's present results; run the same "
                    "`staragents evaluate` again"
                ]
        except FileNotFoundError:
            continue  # removed since: another evaluation writes it anew
        # Anything may be in a damaged file.
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            damaged.append(f"{name}: {RESULT} is damaged; run the same `staragents evaluate` again")
    return [*(found or earlier), *damaged]


def _files_of(run: Path) -> Iterator[Path]:
    """evaluate.json in the directory of the run or in a folder beside it, oldest first."""
    paths = {path.absolute() for path in (run / RESULT, *run.absolute().parent.glob(f"*/{RESULT}"))}
    written = {path: when for path in paths if (when := _written(path)) is not None}
    yield from sorted(written, key=lambda path: (written[path], str(path)))


def _written(path: Path) -> float | None:
    """When the file was written; None if there is none, as while another evaluation writes it anew."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime if S_ISREG(facts.st_mode) else None


def _is_of(result: Evaluation, run: Path) -> bool:
    """Whether it names this run alone, by the path that the command was given."""
    return len(result.runs) == 1 and Path(result.runs[0]).resolve() == run.resolve()
