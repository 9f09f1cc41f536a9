"""The results of a variant on each seed, as measured by the comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from staragents.base.records import Candidate
from staragents.comparison.variant import Variant
from staragents.evolution.drawing import FloatArray
from staragents.run_directory.manifest import DATASET
from staragents.run_directory.run_directory import RunDirectory

KEPT_WIN = 0.5
"""A seed that is kept, left out or not reached within the budget ties with itself."""


@dataclass(slots=True)
class Measured:
    """Arrays have shape (seeds,), in the order of the seed file; `ifd` is NaN where nothing was scored."""

    variant: Variant
    win: FloatArray
    """Probability that the common judge prefers the variant's row to the seed."""
    ifd: FloatArray
    """Target IFD of the variant's row, which may be the seed itself; NaN also where filters left no row."""
    seed_ifd: FloatArray
    """Target IFD of the seed if the variant reached it."""
    reached: int
    replaced: int
    """Seeds whose row in the dataset is a candidate."""
    left_out: int
    """Reached seeds without a row in the dataset; they count as a tie."""
    unreadable: int
    """Candidates in the dataset on which the common judge gave no readable verdict; they count as a tie."""
    tokens: int
    stopped: dict[str, Any] | None
    fake: list[str]
    rewards: list[float | None] = field(default_factory=list)
    """Mean reward of the drawn pairs of each reached seed, without base pairs; None without any."""

    @property
    def improved(self) -> FloatArray:
        """1 where the common judge prefers the variant's row."""
        return (self.win > KEPT_WIN).astype(float)


def chosen_candidates(variant: Variant) -> Iterator[tuple[int, Candidate]]:
    """Index and candidate of every seed whose row in the variant's dataset is a candidate."""
    rows = _rows(variant)
    for index, candidates in enumerate(RunDirectory(variant.config.output.dir).seeds()):
        if (chosen := _chosen(candidates, rows)) is not None:
            yield index, chosen


def _chosen(candidates: list[Candidate], rows: dict[str, str | None]) -> Candidate | None:
    wanted = rows.get(candidates[0].seed_id)
    return None if wanted is None else next(one for one in candidates if one.candidate_id == wanted)


def _rows(variant: Variant) -> dict[str, str | None]:
    """The candidate in each row of the variant's dataset, by seed id; None where the row is the seed."""
    path = RunDirectory(variant.config.output.dir).path / DATASET
    table = pq.read_table(path, columns=["seed_id", "candidate_id"])
    return dict(zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True))


def measured(variant: Variant, seeds: int, wins: dict[int, float | None]) -> Measured:
    """Measurements from a variant's run directory and the common judge's `wins` by seed index."""
    summary = RunDirectory(variant.config.output.dir).summary() or {}
    rows = _rows(variant)
    result = Measured(
        variant=variant,
        win=np.full(seeds, KEPT_WIN),
        ifd=np.full(seeds, np.nan),
        seed_ifd=np.full(seeds, np.nan),
        reached=0,
        replaced=0,
        left_out=0,
        unreadable=sum(win is None for win in wins.values()),
        tokens=summary["cost"]["tokens_in"] + summary["cost"]["tokens_out"],
        stopped=summary["run"].get("stopped"),
        fake=summary["fake"],
    )
    for index, candidates in enumerate(RunDirectory(variant.config.output.dir).seeds()):
        result.reached += 1
        result.rewards.append(_drawn_reward(candidates))
        result.seed_ifd[index] = _number(candidates[0].seed_target_ifd)
        if (chosen := _chosen(candidates, rows)) is not None:
            win = wins[index]
            result.replaced += 1
            result.ifd[index] = _number(chosen.target_ifd)
            result.win[index] = KEPT_WIN if win is None else win
        elif candidates[0].seed_id in rows:
            result.ifd[index] = result.seed_ifd[index]
        else:
            result.left_out += 1
    return result


def fill_unreached(variants: list[Measured]) -> None:
    """Fill in the IFD of unreached seeds from variants that reached them."""
    known = np.full_like(variants[0].seed_ifd, np.nan)
    for one in variants:
        known = np.where(np.isnan(known), one.seed_ifd, known)
    for one in variants:
        one.ifd[one.reached :] = known[one.reached :]


def _drawn_reward(candidates: list[Candidate]) -> float | None:
    rewards = [one.reward for one in candidates if not one.base and one.reward is not None]
    return sum(rewards) / len(rewards) if rewards else None


def _number(value: float | None) -> float:
    return np.nan if value is None else value
