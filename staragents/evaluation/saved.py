"""Finds saved evaluations of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from staragents.evaluation.evaluation import RESULT, Evaluation


def evaluations_of(run: Path) -> Iterator[tuple[Path, Evaluation]]:
    """The evaluations of this run alone: evaluate.json in its directory or in a folder beside it, oldest
    first. Files that are no evaluation are passed over."""
    found = [path for path in (run / RESULT, *run.absolute().parent.glob(f"*/{RESULT}")) if path.is_file()]
    unique = {path.absolute(): path for path in found}
    for path in sorted(unique, key=lambda path: (path.stat().st_mtime, str(path))):
        try:
            result = Evaluation.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if len(result.runs) == 1 and Path(result.runs[0]).absolute() == run.absolute():
            yield path, result


def reward_sentences(run: Path) -> list[str]:
    """Whether what the run measured about its pairs predicts training, by its newest evaluation of pairs; []
    without one."""
    known = [(path, result.by_pair) for path, result in evaluations_of(run) if result.by_pair is not None]
    if not known:
        return []
    path, gains = known[-1]
    return [f"{path.parent.name}: {sentence}" for sentence in gains.sentences()]
