"""The measurements of all arms as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from staragents.evaluation.bootstrap import Floats
from staragents.evaluation.cell import CellResult, Loss

POOLED = ""
"""In place of a writer: all of them together."""

Values = Callable[[CellResult], Mapping[str, float] | None]
"""A measure of a cell by unit, such as a conversation. None: the cell lacks the measure."""


@dataclass(frozen=True, slots=True)
class Grid:
    """`values`, shape (arms, training seeds, units): the training seeds and units that all arms share."""

    arms: tuple[str, ...]
    training_seeds: tuple[int, ...]
    units: tuple[str, ...]
    values: Floats
    dropped: int
    """Units with a measurement in some arm only, or with one that is not finite."""

    def row(self, arm: str) -> Floats:
        """Shape (training seeds, units)."""
        return self.values[self.arms.index(arm)]

    def against(self, reference: str) -> tuple[list[str], Floats]:
        """The other arms, and their differences from the reference on the same training seeds and units."""
        at = self.arms.index(reference)
        others = [index for index in range(len(self.arms)) if index != at]
        return [self.arms[index] for index in others], self.values[others] - self.values[at]


Grids = Mapping[tuple[str, str], Grid | None]
"""By measure, and the writer or task; None without a training seed or unit that all arms share."""


def grid_of(results: Sequence[CellResult], values: Values) -> Grid | None:
    """The grid of one measure over all arms, in the order of `results`; None if no training seed or no unit
    is in all of them."""
    measured = [(one.cell, values(one)) for one in results]
    known = {(cell.arm, cell.training_seed): of_cell for cell, of_cell in measured if of_cell}
    arms = tuple(dict.fromkeys(arm for arm, _ in known))
    every = sorted({seed for _, seed in known})
    seeds = tuple(seed for seed in every if all((arm, seed) in known for arm in arms))
    if not seeds:
        return None
    cells = [[known[arm, seed] for seed in seeds] for arm in arms]
    flat = [of_cell for row in cells for of_cell in row]
    seen = dict.fromkeys(unit for of_cell in flat for unit in of_cell)
    units = tuple(unit for unit in seen if all(math.isfinite(one.get(unit, math.nan)) for one in flat))
    if not units:
        return None
    array = np.array([[[of_cell[unit] for unit in units] for of_cell in row] for row in cells])
    return Grid(arms, seeds, units, array, len(seen) - len(units))


def losses(writer: str = POOLED, prompts: Mapping[str, str] | None = None) -> Values:
    """Loss per token by conversation: of one writer's answer, or of all writers' answers with their tokens
    pooled. Conversations of one prompt are one, by its name in `prompts`."""
    known = prompts or {}

    def of_cell(result: CellResult) -> Mapping[str, float]:
        chosen: dict[str, list[Loss]] = {}
        for name, by_writer in result.losses.items():
            for of, one in by_writer.items():
                if writer in (POOLED, of):
                    chosen.setdefault(known.get(name, name), []).append(one)
        return {name: _per_token(some) for name, some in chosen.items()}

    return of_cell


def wins(result: CellResult) -> Mapping[str, float] | None:
    """The judge's preference by conversation."""
    return result.wins


def score(task: str) -> Values:
    """The score of one task, as the only unit."""

    def of_cell(result: CellResult) -> Mapping[str, float] | None:
        return {task: result.scores[task]} if result.scores and task in result.scores else None

    return of_cell


def writers_of(results: Sequence[CellResult]) -> list[str]:
    """All writers, in the order in which they appear."""
    found = (writer for one in results for by_writer in one.losses.values() for writer in by_writer)
    return list(dict.fromkeys(found))


def tasks_of(results: Sequence[CellResult]) -> list[str]:
    """All tasks with a score, in the order in which they appear."""
    return list(dict.fromkeys(task for one in results for task in one.scores or {}))


def _per_token(chosen: Sequence[Loss]) -> float:
    tokens = sum(one.tokens for one in chosen)
    return sum(one.nats * one.tokens for one in chosen) / tokens if tokens else math.nan
