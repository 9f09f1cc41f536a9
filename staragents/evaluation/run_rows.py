"""What a run could have put into its dataset: the candidates of every seed that a filter does not drop."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from staragents.analysis.saved_run import SavedRun
from staragents.base.messages import Conversation, conversation
from staragents.base.records import Candidate
from staragents.config import Fallback
from staragents.evaluation.pair_measures import PairMeasures
from staragents.filters.row_filters import RowFilters
from staragents.run_directory.damage import Damage, Damaged, damaged
from staragents.run_directory.file_facts import mismatch
from staragents.run_directory.manifest import DATASET, Manifest, read_manifest, results_digest
from staragents.run_directory.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate that could be trained on: generated, and not dropped by a filter of texts."""

    candidate_id: str
    pair: str
    messages: Conversation
    judge_win: float | None
    target_ifd: float | None

    @property
    def answer_bytes(self) -> int:
        return len(self.messages[-1].content.encode())


@dataclass(frozen=True, slots=True)
class SeedRows:
    """One seed: its conversation, its options, and its row in the dataset, if it has one."""

    seed_id: str
    messages: Conversation
    options: tuple[Option, ...]
    dataset: Conversation | None


@dataclass(frozen=True, slots=True)
class RunRows:
    """The results of a run. `seeds` is in the order of the seed file."""

    name: str
    seeds_sha256: str
    total_seeds: int
    """Seeds of the run, those included that it did not reach."""
    later_seeds: int
    """Seeds that the run has done since its results were written, which `seeds` lacks: the dataset has no
    rows for them yet."""
    results: str
    """Checksum of the results."""
    seeds: Mapping[str, SeedRows]
    left_out: frozenset[str]
    """Seeds of which a filter dropped every possible row of the dataset."""
    base_pairs: tuple[str, ...]
    pairs: Mapping[str, PairMeasures]
    """By name, in the order of the config."""

    def only(self, seed_ids: Container[str]) -> RunRows:
        """The run with these of its seeds."""
        return replace(self, seeds={name: one for name, one in self.seeds.items() if name in seed_ids})

    @classmethod
    def read(cls, path: Path, name: str) -> RunRows:
        """The run in the folder `path`, which may go on: read is what its results were written from.

        Filters that compare a row with earlier ones (`duplicates`, `near_duplicates`) decide about the
        dataset only, as they did when it was written. All others drop candidates too. Raises BadInput if the
        results are incomplete or damaged, or if an evaluation set of the filters is missing.
        """
        try:
            return cls._read(path, name)
        except Damaged:
            # The run may have written its results anew meanwhile.
            return cls._read(path, name)

    @classmethod
    def _read(cls, path: Path, name: str) -> RunRows:
        run = SavedRun.open(path)
        state, results = run.folder.state(), read_manifest(run.folder.path)
        if state is None or results is None:  # removed since
            raise run.folder.incomplete()
        dataset = _dataset(run.folder, results)
        filters = RowFilters.of_text(run.config.filters)
        keeps_seed = run.config.reward.fallback is Fallback.seed
        measures = {pair: PairMeasures() for pair in run.config.pairs}
        seeds: dict[str, SeedRows] = {}
        left_out = set()
        for candidates in _candidates(run.folder, results):
            seed = _seed_rows(candidates, dataset, filters)
            seeds[seed.seed_id] = seed
            if seed.dataset is None and (keeps_seed or any(one.selected for one in candidates)):
                left_out.add(seed.seed_id)
            for one in candidates:
                measures.setdefault(one.pair, PairMeasures()).add(one)
        return cls(
            name=name,
            seeds_sha256=state["seeds_sha256"],
            total_seeds=state["seeds"],
            later_seeds=max(0, state["cursor"] - results["seeds"]),
            results=results_digest(results),
            seeds=seeds,
            left_out=frozenset(left_out),
            base_pairs=tuple(run.config.agents.base_pairs),
            pairs=measures,
        )


def _seed_rows(
    candidates: list[Candidate], dataset: Mapping[str, Conversation], filters: RowFilters
) -> SeedRows:
    options = [
        Option(one.candidate_id, one.pair, one.messages, one.judge_win, one.target_ifd)
        for one in candidates
        if one.generated and filters.look(one.messages).dropped_by is None
    ]
    first = candidates[0]
    row = dataset.get(first.seed_id)
    return SeedRows(first.seed_id, first.seed_messages, tuple(options), row)


def _candidates(folder: RunDirectory, results: Manifest) -> Iterator[list[Candidate]]:
    """The candidates of each seed in the results. Raises Damaged."""
    try:
        yield from folder.seeds(results)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        what = f"damaged ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        raise damaged(folder.path, [Damage(folder.candidates.name, what)]) from error


def _dataset(folder: RunDirectory, results: Manifest) -> dict[str, Conversation]:
    """The dataset's conversations by seed id. Raises Damaged."""
    facts = results["files"].get(DATASET)
    if facts is not None and (what := mismatch(folder.path / DATASET, facts, deep=True)) is not None:
        raise damaged(folder.path, [Damage(DATASET, what)])
    table = pq.read_table(folder.path / DATASET, columns=["seed_id", "messages"])
    return {row["seed_id"]: conversation(row["messages"]) for row in table.to_pylist()}
