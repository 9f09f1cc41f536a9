"""Everything that a run recorded about one seed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from staragents.analysis.draw_history import DrawHistory, reproduces
from staragents.analysis.reasons import outcome, reason
from staragents.analysis.recall_effect import RecallEffect
from staragents.analysis.saved_run import SavedRun
from staragents.base.errors import BadInput
from staragents.base.messages import last_exchange
from staragents.base.records import Candidate, as_row
from staragents.evolution.policy import DrawContext, Neighbour, context_of

SHORTEST_PREFIX = 4
# Of a reward, to recognise it.
DIGITS = 9
NEAREST = 3


@dataclass(frozen=True, slots=True)
class Explanation:
    """One seed: recalled neighbours, draw probabilities, candidates and outcome."""

    number: int
    """Position of the seed in the run, from 0."""
    candidates: list[Candidate]
    """Its candidates in draw order."""
    neighbours: list[Neighbour]
    recall: RecallEffect
    probabilities: dict[str, float]
    """Inclusion probability of every pair that this seed could draw; 1 for base pairs. From a replay of the
    policy."""
    learnt_from: int
    """Number of seeds whose outcomes the policy knew at the draw."""
    reproduced: bool
    """Whether the logged propensities match `probabilities`."""
    reasons: list[str]
    """One per candidate."""
    outcome: str

    @classmethod
    def of(cls, run_dir: Path, wanted: str) -> Explanation:
        """`wanted` is a seed id, a candidate id, a prefix of either, or the seed's row in its file.

        Raises BadInput if no seed or more than one seed matches.
        """
        run = SavedRun.open(run_dir)
        number, candidates = _find(run, wanted)
        history = DrawHistory(run.config, run.summary["funnel"]["seeds"], run.drawn_pairs)
        for earlier in islice(run.folder.seeds(), number):
            history.add_seed(earlier)
        probabilities, context = history.probabilities(candidates), context_of(candidates)
        known = islice(run.folder.seeds(), history.learnt_from) if context.neighbours else ()
        return cls(
            number=number,
            candidates=candidates,
            neighbours=list(context.neighbours),
            recall=RecallEffect.of(
                context,
                history.probabilities(candidates, with_memory=False),
                probabilities,
                _instructions(known, context),
            ),
            probabilities=probabilities,
            learnt_from=history.learnt_from,
            reproduced=reproduces(probabilities, candidates),
            reasons=[reason(candidate, candidates, run.config) for candidate in candidates],
            outcome=outcome(candidates, run.config),
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "seed_id": self.candidates[0].seed_id,
            "row": self.candidates[0].seed_row,
            "number": self.number,
            "neighbours": [asdict(neighbour) for neighbour in self.neighbours],
            "memory": {**asdict(self.recall), "said": self.recall.sentences()},
            "probabilities": self.probabilities,
            "learnt_from": self.learnt_from,
            "reproduced": self.reproduced,
            "candidates": [
                {**as_row(candidate), "reason": why}
                for candidate, why in zip(self.candidates, self.reasons, strict=True)
            ],
            "outcome": self.outcome,
        }


def _find(run: SavedRun, wanted: str) -> tuple[int, list[Candidate]]:
    exact: list[tuple[int, list[Candidate]]] = []
    started: list[tuple[int, list[Candidate]]] = []
    ids: list[str] = []
    for number, candidates in enumerate(run.folder.seeds()):
        names = [candidates[0].seed_id, *(candidate.candidate_id for candidate in candidates)]
        ids.append(names[0])
        if wanted in names or wanted == str(candidates[0].seed_row):
            exact.append((number, candidates))
        elif len(wanted) >= SHORTEST_PREFIX and any(name.startswith(wanted) for name in names):
            started.append((number, candidates))
    found = exact or started
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(candidates[0].seed_id for _, candidates in found[:NEAREST])
        raise BadInput(f"{run.folder.path}: {wanted!r} matches {len(found)} seeds: {several} ...")
    near = difflib.get_close_matches(wanted, ids, NEAREST, cutoff=0.3) or ids[:NEAREST]
    raise BadInput(
        f"{run.folder.path}: expected the id or row of one of its {len(ids)} finished seeds, got {wanted!r}; "
        f"for instance {', '.join(near)}"
    )


def _instructions(seeds: Iterable[list[Candidate]], context: DrawContext) -> dict[Neighbour, str]:
    """The instructions of recalled outcomes, where exactly one of `seeds` has that pair and reward."""
    wanted = {(one.pair, round(one.reward, DIGITS)): one for one in context.neighbours}
    found: dict[Neighbour, set[str]] = {}
    for candidates in seeds:
        for candidate in candidates:
            one = wanted.get((candidate.pair, round(candidate.reward or 0.0, DIGITS)))
            if one is not None and candidate.reward is not None:
                found.setdefault(one, set()).add(last_exchange(candidate.seed_messages)[0])
    return {one: next(iter(texts)) for one, texts in found.items() if len(texts) == 1}
