"""The arms of experiment 2 from the runs of one replicate, and what their choice cost. See CLAIMS.md."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from reward_choices import choices_of
from weak_agent import Weak

from staragents.analysis.saved_run import SavedRun
from staragents.base.messages import Conversation
from staragents.base.records import Candidate, Status
from staragents.comparison.comparison import RESULT
from staragents.config import Composite
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.evaluation.arms import arms_of
from staragents.evaluation.choices import (
    DATASET,
    IFD,
    JUDGE,
    RANDOM,
    RANDOM_LENGTH,
    SEEDS,
    random_of_length,
)
from staragents.evaluation.pair_measures import PairMeasures
from staragents.evaluation.run_rows import RunRows
from staragents.reward.composite import choose, composite
from staragents.run_directory.run_directory import RunDirectory

DEFAULT, UNIFORM, PAPER = "full", "uniform", "paper"
"""The variants of a comparison; the first one is the config unchanged."""
OTHERS = (UNIFORM, PAPER)
RUNS = (DEFAULT, *OTHERS)
WIN = "win"
"""What the default run would have chosen with w alone as reward, and without IFD."""
RANDOM_IFD_LENGTH = "random-ifd-length"
RANDOM_WIN_LENGTH = "random-win-length"
"""Random candidates as long as the rows of `IFD`, and of `WIN`."""
OF_DEFAULT = (RANDOM, RANDOM_LENGTH, JUDGE, IFD, DATASET)
ARMS = (
    SEEDS,
    *OF_DEFAULT,
    WIN,
    f"{DATASET}:{UNIFORM}",
    f"{DATASET}:{PAPER}",
    RANDOM_IFD_LENGTH,
    RANDOM_WIN_LENGTH,
)


def arms_of_replicate(folder: Path, replicate: int) -> list[Arm]:
    """`ARMS`, from a folder with the runs `RUNS`; random choices are those of this replicate. Raises BadInput
    if a run is unfinished or damaged."""
    runs = {name: folder / name for name in RUNS}
    made = {arm.name: arm for arm in arms_of(list(runs.values()), (SEEDS, *OF_DEFAULT), seed=replicate).arms}
    arms = [made[SEEDS]]
    arms += [replace(made[f"{DEFAULT}:{name}"], name=name) for name in OF_DEFAULT]
    by_win = _by_win(SavedRun.open(runs[DEFAULT]))
    arms.append(_own_rows(WIN, made[SEEDS], by_win))
    arms += [replace(made[f"{name}:{DATASET}"], name=f"{DATASET}:{name}") for name in OTHERS]
    options = RunRows.read(runs[DEFAULT], DEFAULT)
    of_name = {arm.name: arm for arm in arms}
    for name, like in ((RANDOM_IFD_LENGTH, IFD), (RANDOM_WIN_LENGTH, WIN)):
        rows = {row.seed_id: row.messages for row in of_name[like].rows}
        arms.append(_own_rows(name, made[SEEDS], random_of_length(options, rows, replicate)))
    return arms


def _by_win(run: SavedRun) -> dict[str, Conversation]:
    """The chosen candidate of each seed that has one, by the rule of the run with w in place of the reward.

    A candidate that IFD alone excluded may be chosen.
    """
    found = {}
    for candidates in run.folder.seeds():
        chosen = choose([_with_win(one) for one in candidates], run.config.reward)
        if chosen is not None:
            found[chosen.seed_id] = chosen.messages
    return found


def _with_win(candidate: Candidate) -> Candidate:
    reason = None if candidate.status is Status.misaligned else candidate.reject_reason
    reward = composite(candidate.judge_win, 0.0, Composite.judge_only)
    return replace(candidate, reward=reward, reject_reason=reason)


def _own_rows(name: str, seeds: Arm, rows: Mapping[str, Conversation]) -> Arm:
    return Arm(
        name,
        tuple(
            TrainingRow(row.seed_id, rows.get(row.seed_id, row.messages), row.seed_id not in rows)
            for row in seeds.rows
        ),
    )


def facts_of_replicate(folder: Path, replicate: int, weak: Weak) -> dict[str, Any]:
    """Numbers about the runs of a replicate: what they cost, what they measured about pairs, what the arms
    consist of, and the choices themselves. No text."""
    runs = {name: RunRows.read(folder / name, name) for name in RUNS}
    pairs = runs[UNIFORM].pairs
    arms = arms_of_replicate(folder, replicate)
    return {
        "costs": {name: _costs(RunDirectory(folder / name)) for name in RUNS},
        "earned": _earned(folder),
        "pairs": {agent: _measures(pairs[weak.pair(agent)]) for agent in weak.agents},
        "arms": {arm.name: _facts(arm, arms[0], list(runs.values())) for arm in arms},
        "choices": choices_of(arms, weak),
    }


def _earned(folder: Path) -> dict[str, dict[str, float]]:
    """Of each run: the mean reward of a draw, and w of the dataset's rows (1/2 where the seed was kept)."""
    rows = json.loads((folder / RESULT).read_text())["rows"]
    return {row["name"]: {"reward": row["course"][-1][1], "judge_win": row["win"]["mean"]} for row in rows}


def _costs(run: RunDirectory) -> dict[str, int]:
    """Of all candidates of a run, and the seeds that it drew for. Recorded engines count words as tokens; a
    scored answer is read twice by each model."""
    found = Counter[str](seeds=0, candidates=0)
    for candidates in run.seeds():
        found["seeds"] += 1
        for candidate in candidates:
            found["candidates"] += 1
            tokens = candidate.tokens_by_stage()
            found["words_written"] += tokens.get("answer", (0, 0))[1]
            found["words_judged"] += sum(tokens.get("judge", (0, 0)))
            found["target_tokens"] += 2 * (candidate.target_tokens or 0)
            found["larger_tokens"] += 2 * (candidate.larger_tokens or 0)
    return dict(found)


def _measures(pair: PairMeasures) -> dict[str, float | int | None]:
    return {
        "candidates": pair.candidates,
        "reward": pair.reward.value,
        "ifd_gap": pair.ifd_gap.value,
        "judge_win": pair.judge_win.value,
    }


def _facts(arm: Arm, seeds: Arm, runs: Sequence[RunRows]) -> dict[str, float]:
    """Shares of the rows that are not the seed, and of these that are the commonest pair's."""
    pairs = {(of_seed, messages): pair for of_seed, messages, pair in _options(runs)}
    new = [row for row, seed in zip(arm.rows, seeds.rows, strict=True) if row.messages != seed.messages]
    writers = Counter(pairs.get((row.seed_id, row.messages), arm.name) for row in new)
    return {
        "rows": len(arm.rows),
        "replaced": len(new) / len(arm.rows),
        "commonest": max(writers.values()) / len(new) if new else 0.0,
        "words": float(np.mean([len(row.messages[-1].content.split()) for row in arm.rows])),
    }


def _options(runs: Sequence[RunRows]) -> Iterator[tuple[str, Conversation, str]]:
    for run in runs:
        for seed in run.seeds.values():
            for option in seed.options:
                yield seed.seed_id, option.messages, option.pair
