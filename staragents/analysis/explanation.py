"""Everything that a run recorded about one seed."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from staragents.analysis.policy_history import PolicyHistory
from staragents.analysis.reasons import outcome, reason
from staragents.analysis.saved_run import SavedRun
from staragents.base.errors import BadInput
from staragents.base.records import Candidate, as_row, stable_seed
from staragents.evolution.policy import Neighbour, context_of

SHORTEST_PREFIX = 4
# Of a propensity: the run may have computed its own on another machine.
TOLERANCE = 1e-6
NEAREST = 3


@dataclass(frozen=True, slots=True)
class Explanation:
    """One seed: recalled neighbours, draw probabilities, candidates and outcome."""

    number: int
    """Position of the seed in the run, from 0."""
    candidates: list[Candidate]
    """Its candidates in draw order."""
    neighbours: list[Neighbour]
    probabilities: dict[str, float]
    """Inclusion probability of every pair for this seed; 1 for base pairs. From a replay of the policy."""
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
        probabilities, learnt_from = _probabilities(run, number, candidates)
        logged = {candidate.pair: candidate.propensity for candidate in candidates}
        return cls(
            number=number,
            candidates=candidates,
            neighbours=list(context_of(candidates).neighbours),
            probabilities=probabilities,
            learnt_from=learnt_from,
            reproduced=all(
                abs(probabilities.get(pair, 0.0) - propensity) < TOLERANCE
                for pair, propensity in logged.items()
            ),
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


def _probabilities(run: SavedRun, number: int, candidates: list[Candidate]) -> tuple[dict[str, float], int]:
    """At the draw for seed n, the policy knew the outcomes of seeds up to n - run.admitted_seeds."""
    config = run.config
    known = max(0, number - config.run.admitted_seeds + 1)
    history = PolicyHistory(config, run.summary["funnel"]["seeds"])
    for earlier in islice(run.folder.seeds(), known):
        history.add_seed(earlier)
    probabilities = {pair: 1.0 for pair in config.pairs if pair in config.agents.base_pairs}
    if history.policy is not None:
        retired = config.retired_pairs
        draws = min(config.evolution.draws, len(config.pairs) - len(probabilities) - len(retired))
        seed = stable_seed(str(config.run.seed), candidates[0].seed_id, "draw")
        probabilities |= (
            history.policy.inclusion(draws, seed, context_of(candidates), retired) if draws else {}
        )
    return probabilities, known
