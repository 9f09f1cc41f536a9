"""The arms of an evaluation: what a run chose and alternatives to it, on the same seeds."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation
from staragents.config import ColumnsConfig
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.evaluation.arm_names import SETTING, check_file_names, check_names, check_pair
from staragents.evaluation.choices import PAIR, SEEDS, Rows, rows_of
from staragents.evaluation.dataset_file import file_rows
from staragents.evaluation.pair_measures import PairMeasures
from staragents.evaluation.references import main_family, references_of
from staragents.evaluation.run_folders import named_runs
from staragents.evaluation.run_rows import RunRows


@dataclass(frozen=True, slots=True)
class Arms:
    """`arms` in the order that was asked for. `pairs`: what the runs measured about the pair of each arm
    `pair:NAME`, by the name of the arm. `seed_ids`: of the seeds that the arms share. `results`: the checksum
    of each run's results. `same`: arms with the rows of an earlier one, and the name of that one, whose
    students are theirs too."""

    arms: tuple[Arm, ...]
    pairs: Mapping[str, PairMeasures]
    seed_ids: frozenset[str]
    warnings: tuple[str, ...]
    results: tuple[str, ...] = ()
    same: Mapping[str, str] = field(default_factory=dict)

    @property
    def seeds(self) -> int:
        """How many seeds the arms share."""
        return len(self.seed_ids)

    def without(self, seed_ids: Container[str]) -> Arms:
        """The arms without their rows of these seeds, such as those that are too long for the student."""
        kept = [
            Arm(arm.name, tuple(row for row in arm.rows if row.seed_id not in seed_ids)) for arm in self.arms
        ]
        return replace(
            self,
            arms=tuple(kept),
            seed_ids=frozenset(one for one in self.seed_ids if one not in seed_ids),
        )

    @property
    def distinct(self) -> tuple[Arm, ...]:
        """Those that are trained: each differs from the others."""
        return tuple(arm for arm in self.arms if arm.name not in self.same)

    def trained_as(self, name: str) -> str:
        """The arm whose students are those of the arm `name`."""
        return self.same.get(name, name)

    def main_students(self, names: Sequence[str], reference: str) -> list[str]:
        """Of the arms `names`, those that are compared with `reference` at once, pairs apart from the others:
        one for all that have the same students."""
        others = [name for name in names if self.trained_as(name) != self.trained_as(reference)]
        first: dict[str, str] = {}
        for name in main_family(others, self.pairs):
            first.setdefault(self.trained_as(name), name)
        return list(first.values())

    @property
    def compared(self) -> int:
        """How many distinct arms are compared with the first reference at once. At least 1."""
        names = [arm.name for arm in self.arms]
        return len(self.main_students(names, references_of(names)[0])) or 1


def arms_of(
    runs: Sequence[Path],
    names: Sequence[str],
    files: Mapping[str, Path] | None = None,
    seed: int = 0,
    by_pair: bool = False,
    columns: ColumnsConfig | None = None,
) -> Arms:
    """The arms `names` of every run, and one arm for each of `files`, by name. `columns`: the user's names in
    these files.

    `runs` are run directories of the same seeds, or `compare` folders, which stand for the runs of their
    variants. With several runs, an arm is called RUN:NAME; `seeds` is the same for all and remains one arm.
    `by_pair` adds an arm for each pair that has a candidate, and `seeds`, to compare them with. `seed` makes
    the random choices, each from its seed's id, so that they depend neither on the order of seeds nor on
    other arms.

    Row i of every arm belongs to the same seed. Seeds of which a filter dropped every row of the dataset are
    in no arm. Where an arm lacks a row, it gets the unchanged seed, marked as filled. An exception is a file
    whose rows have no `seed_id` of the runs: its rows are taken as they are.

    Raises BadInput for an unknown arm, an arm without a row of its own, a run whose results are missing,
    incomplete or damaged, runs of different seeds, and a bad row of a file.
    """
    check_names(names)
    check_file_names(files or {})
    folders = named_runs(runs)
    read = [RunRows.read(path, name) for name, path in folders.items()]
    if not read:
        raise BadInput("RUN: expected at least one run, got none")
    _check_same_seeds(read)
    building = _Building(read, seed)
    if by_pair and SEEDS not in names:
        names = [*names, SEEDS]
    for name in names:
        building.add(name)
    if by_pair:
        building.add_pairs(names)
    for name, path in (files or {}).items():
        building.add_file(name, path, columns)
    return building.result()


def _check_same_seeds(runs: Sequence[RunRows]) -> None:
    first = runs[0]
    for run in runs[1:]:
        if run.seeds_sha256 != first.seeds_sha256:
            raise BadInput(
                f"RUN: expected runs of the same seeds, got others in {run.name} than in {first.name}"
            )


class _Building:
    """Adds arms one by one."""

    def __init__(self, runs: Sequence[RunRows], seed: int) -> None:
        self._seed = seed
        longest = max(runs, key=lambda run: len(run.seeds))
        left_out = frozenset[str]().union(*(run.left_out for run in runs))
        self._seeds: dict[str, Conversation] = {
            seed_id: one.messages for seed_id, one in longest.seeds.items() if seed_id not in left_out
        }
        # A choice that depends on all seeds of a run depends on those in the arms only.
        self._runs = [run.only(self._seeds) for run in runs]
        self._arms: dict[str, Arm] = {}
        self._pairs: dict[str, PairMeasures] = {}
        self._warnings: list[str] = []
        if left_out:
            self._warnings.append(
                f"{len(left_out)} seeds are in no arm: filters dropped every row that the dataset could have"
            )
        for run in runs:
            if len(run.seeds) < run.total_seeds:
                self._warnings.append(
                    f"{run.name} has results of {len(run.seeds)} of its {run.total_seeds} seeds"
                    + ("; its arms get the others unchanged" if len(run.seeds) < len(longest.seeds) else "")
                )
            if run.later_seeds:
                self._warnings.append(
                    f"{run.name} has done {run.later_seeds} seeds since its results were written, which are "
                    "not used: run its command again to write its results"
                )

    def add(self, name: str) -> None:
        """An arm of every run."""
        if name == SEEDS:
            self._put(name, self._seeds, SETTING)
            return
        for run in self._runs:
            if name.startswith(PAIR):
                check_pair(run, name)
            self._put_of(run, name, rows_of(run, name, self._seed))

    def add_pairs(self, names: Sequence[str]) -> None:
        """An arm of each pair that has a row of its own and is not in `names` already."""
        for run in self._runs:
            for pair in run.pairs:
                name = f"{PAIR}{pair}"
                if name in names:
                    continue
                rows = rows_of(run, name, self._seed)
                if rows:
                    self._put_of(run, name, rows)
                else:
                    self._warnings.append(f"the pair {pair} has no candidate to train on: no arm")

    def add_file(self, name: str, path: Path, columns: ColumnsConfig | None) -> None:
        """A dataset file."""
        setting = f"--arm {name}"
        rows = file_rows(path, setting, columns, self._warnings.append)
        known = {row.seed_id: row.messages for row in rows if row.seed_id in self._seeds}
        if known:
            if other := len(rows) - len(known):
                self._warnings.append(
                    f"{other} rows of {name} belong to no seed of the arms and are left out"
                )
            self._put(name, {seed_id: row for seed_id, row in known.items() if seed_id}, setting)
            return
        self._warnings.append(
            f"the rows of {name} name no seeds of the run, so that it is trained on other instructions"
        )
        self._arms[name] = Arm(name, tuple(TrainingRow(row.row_id, row.messages) for row in rows))

    def result(self) -> Arms:
        same = self._same()
        return Arms(
            tuple(self._arms.values()),
            self._pairs,
            frozenset(self._seeds),
            tuple(self._warnings),
            tuple(run.results for run in self._runs),
            same,
        )

    def _same(self) -> dict[str, str]:
        """Arms with the rows of an earlier one, and its name; a warning for each."""
        first: dict[tuple[tuple[str, Conversation], ...], str] = {}
        same = {}
        for name, arm in self._arms.items():
            earlier = first.setdefault(tuple((row.seed_id, row.messages) for row in arm.rows), name)
            if earlier != name:
                same[name] = earlier
                self._warnings.append(
                    f"{name} has the same rows as {earlier}, so both have the same students"
                )
            elif SEEDS not in self._arms and all(
                row.messages == self._seeds.get(row.seed_id) for row in arm.rows
            ):
                self._warnings.append(f"{name} equals {SEEDS}: none of its rows differs from the seed")
        return same

    def _put_of(self, run: RunRows, name: str, rows: Rows) -> None:
        full = name if len(self._runs) == 1 else f"{run.name}:{name}"
        self._put(full, rows, SETTING)
        if name.startswith(PAIR):
            self._pairs[full] = run.pairs[name.removeprefix(PAIR)]

    def _put(self, name: str, rows: Rows, setting: str) -> None:
        arm = Arm(
            name,
            tuple(
                TrainingRow(seed_id, rows.get(seed_id, messages), filled=seed_id not in rows)
                for seed_id, messages in self._seeds.items()
            ),
        )
        if arm.filled == len(arm.rows):
            raise BadInput(f"{setting}: expected an arm with rows, got {name}, for which no seed has one")
        self._arms[name] = arm
