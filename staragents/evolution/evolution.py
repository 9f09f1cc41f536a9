"""State machine of the loop: draws pairs for a seed, turns scores into rewards, and learns from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from staragents.base.records import MISALIGNED, Candidate, stable_seed
from staragents.config import Baseline, Config, Difficulty
from staragents.evolution.choice import make_policy
from staragents.evolution.policy import (
    Draw,
    DrawContext,
    Outcome,
    PairStats,
    RecalledOutcomes,
    context_of,
    outcomes_of,
)
from staragents.evolution.tally import Tally
from staragents.reward.composite import choose, composite
from staragents.reward.cost import CostScale
from staragents.reward.difficulty import difficulties, misaligned, ranked_value
from staragents.reward.rank_sketch import RankSketch


@dataclass(frozen=True, slots=True)
class Committed:
    """The chosen candidate of a seed, if any, and the outcomes that the policy learnt from."""

    chosen: Candidate | None
    outcomes: list[Outcome]


class Evolution:
    """Owns the policy and the running ranks; does no I/O and reads no clock.

    `draw` may be called for many seeds before their `commit`s. The outcome depends only on the sequence of
    calls, so a run with the same sequence repeats exactly, even after a restore.
    """

    def __init__(self, config: Config, pairs: Sequence[str], total_seeds: int) -> None:
        """`pairs` are all pairs of the run, base pairs included."""
        self._config = config
        self._base_pairs = [pair for pair in pairs if pair in config.agents.base_pairs]
        drawable = [pair for pair in pairs if pair not in self._base_pairs]
        self.policy = make_policy(config.evolution, drawable, total_seeds, config.factors)
        self._base_rewards = Tally(self._base_pairs)
        self._retired = config.retired_pairs
        self._draws = min(config.evolution.draws, len(set(drawable) - self._retired))
        self._seen = RankSketch()
        self._cost = CostScale(config.reward.cost)

    def context(self, recalled: RecalledOutcomes) -> DrawContext:
        """What the draw of a seed will use of the outcomes recalled for its instruction."""
        return self.policy.context(recalled)

    def draw(self, seed_id: str, context: DrawContext) -> list[Draw]:
        """The pairs to call for a seed: base pairs with propensity 1, then the policy's draws.

        Keep the draw until the seed is committed: later calls know more, so they may return other pairs.
        """
        drawn = [Draw(pair, 1.0) for pair in self._base_pairs]
        if self._draws:
            number = stable_seed(str(self._config.run.seed), seed_id, "draw")
            drawn += self.policy.draw(self._draws, number, context, self._retired)
        return drawn

    def commit(self, candidates: Sequence[Candidate]) -> Committed:
        """Commit ALL candidates of one seed (at least one), in seed order.

        Fills `difficulty`, `reward`, `selected` and the reject reason `misaligned`. Rejected texts earn 0.
        The policy ignores candidates whose engine failed or whose verdict was unreadable. It learns with what
        the candidates' draw knew (`context_of`).
        """
        self._reward(candidates)
        chosen = choose(candidates, self._config.reward)
        if chosen is not None:
            chosen.selected = True
        learned = self._cost.learned(candidates)
        for candidate, value in learned:
            if candidate.base:
                self._base_rewards.add(candidate.pair, value)
        if outcomes := outcomes_of(learned):
            self.policy.observe(outcomes, context_of(candidates))
        return Committed(chosen, outcomes)

    def pair_stats(self) -> list[PairStats]:
        """Base pairs first, with probability 0 because they are never drawn, then the policy's pairs; retired
        ones have probability 0 too."""
        return self._base_rewards.pair_stats({}) + self.policy.pair_stats(self._retired)

    def state(self) -> dict[str, Any]:
        """Everything that later draws and commits depend on, as JSON values."""
        return {
            "policy": self.policy.state(),
            "base_rewards": self._base_rewards.state(),
            "seen": self._seen.state(),
            "cost": self._cost.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from `state`; the config may add pairs and retire some.

        Earlier versions also saved the draws of uncommitted seeds here; the coordinator has them.
        """
        self.policy.restore(state["policy"])
        self._base_rewards.restore(state["base_rewards"])
        self._seen.restore(state["seen"])
        self._cost.restore(state["cost"])

    def _reward(self, candidates: Sequence[Candidate]) -> None:
        kind = self._config.reward.difficulty
        scored = [candidate for candidate in candidates if candidate.generated]
        for candidate in scored:
            if (value := ranked_value(candidate, kind)) is not None:
                self._seen.add(value)
        for candidate, difficulty in zip(scored, difficulties(scored, kind, self._seen), strict=True):
            candidate.difficulty = difficulty
            candidate.reward = composite(
                self._win(candidate), difficulty, self._config.reward.composite, self._chance(candidate)
            )
            # The paper has no such limit. A recorded candidate may carry a mark from another config.
            excluded = kind is not Difficulty.paper and misaligned(candidate)
            candidate.reject_reason = MISALIGNED if excluded else None
        for candidate in candidates:
            if candidate.rejected:
                candidate.reward = 0.0

    def _chance(self, candidate: Candidate) -> float:
        return stable_seed(str(self._config.run.seed), candidate.candidate_id, "pick") / 2**31

    def _win(self, candidate: Candidate) -> float | None:
        # The baseline sample, which all others are judged against, ties with itself (paper eq. 6).
        is_baseline = self._config.judge.baseline is Baseline.base and candidate.pair == self._baseline_pair
        return 0.5 if is_baseline and candidate.judge_win is None else candidate.judge_win

    @property
    def _baseline_pair(self) -> str | None:
        named = self._config.agents.base_pairs
        return named[0] if named else None
