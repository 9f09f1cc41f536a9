"""Every pair's probability at the draw of each seed of a saved run."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from staragents.analysis.policy_history import PolicyHistory
from staragents.base.records import Candidate, stable_seed
from staragents.config import Config
from staragents.evolution.drawn_pairs import DrawnPairs
from staragents.evolution.policy import NO_CONTEXT, DrawContext, context_of

# Of a propensity: the run may have computed its own on another machine.
TOLERANCE = 1e-6


class DrawHistory:
    """Replays the draws of a run in order. The draw for seed n knew the outcomes of the seeds up to n -
    `run.admitted_seeds`."""

    def __init__(self, config: Config, total_seeds: int, saved: Sequence[DrawnPairs] = ()) -> None:
        """`saved`: the pairs of the run's state, if agents were added or retired meanwhile."""
        self._config = config
        self._history = PolicyHistory(config, total_seeds, saved)
        self._waiting: deque[list[Candidate]] = deque()
        self._seeds = 0

    @property
    def learnt_from(self) -> int:
        """Number of seeds whose outcomes the draw of the next seed knows."""
        return max(0, self._seeds - self._config.run.admitted_seeds + 1)

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the next seed's candidates."""
        self._waiting.append(candidates)
        self._seeds += 1
        while self._history.seeds < self.learnt_from:
            self._history.add_seed(self._waiting.popleft())

    def probabilities(self, candidates: list[Candidate], with_memory: bool = True) -> dict[str, float]:
        """Inclusion probability of every pair that could be drawn for the next seed, whose candidates these
        are; 1 for base pairs.

        Without memory: what it would have been if the same policy had recalled nothing for this seed.
        """
        config = self._config
        found = {pair: 1.0 for pair in config.pairs if pair in config.agents.base_pairs}
        now, policy = self._history.drawing(self._seeds)
        draws = min(config.evolution.draws, len(now.pairs) - len(now.retired))
        if policy is None or not draws:
            return found
        context: DrawContext = context_of(candidates) if with_memory else NO_CONTEXT
        seed = stable_seed(str(config.run.seed), candidates[0].seed_id, "draw")
        return found | policy.inclusion(draws, seed, context, now.retired)


def reproduces(probabilities: dict[str, float], candidates: list[Candidate]) -> bool:
    """Whether the logged propensities are those of the replay: another version may have drawn the pairs."""
    return all(
        abs(probabilities.get(candidate.pair, 0.0) - candidate.propensity) < TOLERANCE
        for candidate in candidates
    )
