"""Off-policy evaluation: what another policy would have earned, from a finished run's candidates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from staragents.analysis.draw_history import DrawHistory, reproduces
from staragents.base.errors import BadInput
from staragents.base.records import Candidate
from staragents.base.statistics import Z_95
from staragents.config import Config
from staragents.evolution.drawing import FloatArray
from staragents.evolution.drawn_pairs import DrawnPairs
from staragents.evolution.policy import NO_CONTEXT, keep_context

# With fewer effective draws, neither the estimate nor its interval is reliable.
MIN_EFFECTIVE = 100.0
MIN_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class MeanReward:
    """Mean reward per draw, with the half width of its 95 % interval over seeds."""

    name: str
    mean: float
    half_width: float


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """`effective_draws` is (sum w)^2 / sum w^2 over the run's draws; `warning` is set if it is too small, or
    if some draws are `not_reproduced`."""

    policy: str
    seeds: int
    recalled: int
    """Seeds for which the run recalled similar instructions: the policy's draw knows them too."""
    not_reproduced: int
    """Seeds whose logged propensities do not follow from the run's own settings."""
    draws: int
    missing: int
    logged: MeanReward
    estimates: tuple[MeanReward, ...]
    effective_draws: float
    warning: str | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def estimate(
    seeds: Iterable[list[Candidate]],
    config: Config,
    total_seeds: int,
    saved: Sequence[DrawnPairs] = (),
    own: Config | None = None,
    with_memory: bool = True,
) -> OffPolicy:
    """Inverse propensity (IPS), self-normalised and doubly robust estimates for the policy of `config`, which
    is the run's config, `own`, with another `evolution` section. `saved`: the pairs of the run's state.
    Without memory: as if nothing had been recalled for any seed.

    The policy observes the run's outcomes with the run's delay (`DrawHistory`); before each seed it gives its
    inclusion probabilities, with what the run recalled for that seed: contexts are saved with the candidates.
    Weights are these divided by the logged propensities (Horvitz and Thompson 1952, because draws are without
    replacement). The doubly robust form (Dudik et al. 2011) uses each pair's running mean as its reward
    model. Draws without a reward and base pairs are left out: means are over a seed's other draws.
    IPS and the doubly robust estimate are unbiased given the past, if no pair fails more often than others.

    Raises BadInput for candidates of pairs that the config lacks.
    """
    history, logged = (DrawHistory(one, total_seeds, saved) for one in (config, own or config))
    pairs = config.drawn_pairs
    logs, recalled = _Logs(pairs), 0
    for recorded in seeds:
        logs.not_reproduced += not reproduces(logged.probabilities(recorded), recorded)
        logged.add_seed(recorded)
        candidates = recorded if with_memory else _without_memory(recorded)
        drawn = [candidate for candidate in candidates if not candidate.base]
        known = [_checked(candidate, pairs) for candidate in drawn if candidate.reward is not None]
        logs.draws += len(drawn)
        logs.missing += len(drawn) - len(known)
        if known:
            logs.add_seed(known, len(drawn), history.probabilities(candidates))
            recalled += any(candidate.readings or candidate.recalled for candidate in known)
        history.add_seed(candidates)
    if not logs.weights:
        raise BadInput("candidates: expected drawn candidates with rewards, got none")
    return logs.result(config.evolution.policy.value, recalled)


def _without_memory(candidates: list[Candidate]) -> list[Candidate]:
    """Copies that recalled nothing."""
    copies = [replace(candidate) for candidate in candidates]
    for copy in copies:
        keep_context(copy, NO_CONTEXT)
    return copies


def _checked(candidate: Candidate, pairs: Sequence[str]) -> Candidate:
    if candidate.pair not in pairs or not 0 < candidate.propensity <= 1:
        raise BadInput(
            f"seed {candidate.seed_id}: expected a pair of the config with a propensity above 0, "
            f"got {candidate.pair} with {candidate.propensity}"
        )
    return candidate


class _Logs:
    """The terms of all estimates, one per seed; weights one per draw."""

    def __init__(self, pairs: Sequence[str]) -> None:
        self._pairs = pairs
        self._index = {pair: index for index, pair in enumerate(pairs)}
        # The reward model: sum and number of each pair's rewards so far.
        self._totals, self._numbers = np.zeros(len(pairs)), np.zeros(len(pairs))
        self._logged: list[float] = []
        self._ips: list[float] = []
        self._robust: list[float] = []
        self._weight_sums: list[float] = []
        self.weights: list[float] = []
        self.draws = self.missing = self.not_reproduced = 0

    def add_seed(self, known: Sequence[Candidate], drawn: int, inclusion: Mapping[str, float]) -> None:
        """`known`: the seed's candidates with a reward, of `drawn`; `inclusion`: the other policy's
        probability of each pair, which sum to `drawn`."""
        model = self._reward_model()
        indices = [self._index[candidate.pair] for candidate in known]
        rewards = [float(candidate.reward or 0.0) for candidate in known]
        weights = [inclusion.get(candidate.pair, 0.0) / candidate.propensity for candidate in known]
        # A retired pair is not drawn.
        direct = float(np.array([inclusion.get(pair, 0.0) for pair in self._pairs]) @ model)
        corrections = (w * (r - model[i]) for w, r, i in zip(weights, rewards, indices, strict=True))
        self._ips.append(sum(w * r for w, r in zip(weights, rewards, strict=True)) / len(known))
        self._robust.append(direct / drawn + sum(corrections) / len(known))
        self._logged.append(sum(rewards) / len(known))
        self._weight_sums.append(sum(weights) / len(known))
        self.weights += weights
        for index, reward in zip(indices, rewards, strict=True):
            self._totals[index] += reward
            self._numbers[index] += 1

    def result(self, policy: str, recalled: int) -> OffPolicy:
        weights, ips = self.weights, np.array(self._ips)
        effective = sum(weights) ** 2 / sum(w * w for w in weights) if any(weights) else 0.0
        return OffPolicy(
            policy=policy,
            seeds=len(self._ips),
            recalled=recalled,
            not_reproduced=self.not_reproduced,
            draws=self.draws,
            missing=self.missing,
            logged=_mean("the run itself", np.array(self._logged)),
            estimates=(
                _mean("inverse propensity", ips),
                _ratio("self-normalised", ips, np.array(self._weight_sums)),
                _mean("doubly robust", np.array(self._robust)),
            ),
            effective_draws=effective,
            warning=" ".join(self._warnings(effective)) or None,
        )

    def _warnings(self, effective: float) -> Iterator[str]:
        draws = len(self.weights)
        if effective < MIN_EFFECTIVE or effective < MIN_SHARE * draws:
            yield (
                f"the estimates rest on {effective:.0f} effective draws of {draws}: this policy prefers "
                "pairs that the run rarely drew. Record a run with a larger evolution.floor or "
                "policy=uniform."
            )
        if self.not_reproduced:
            yield (
                f"the draws of {self.not_reproduced} seeds do not follow from the run's settings: another "
                "version or machine made them, or a repair drew lost seeds again. What any policy would have "
                "drawn there is uncertain."
            )

    def _reward_model(self) -> FloatArray:
        """Each pair's mean reward so far; a pair without observations gets the mean of the others."""
        mean = float(self._totals.sum() / self._numbers.sum()) if self._numbers.any() else 0.0
        return np.where(self._numbers > 0, self._totals / np.maximum(self._numbers, 1), mean)


def _mean(name: str, values: FloatArray) -> MeanReward:
    spread = float(values.std(ddof=1)) if len(values) > 1 else math.inf
    return MeanReward(name, float(values.mean()), Z_95 * spread / math.sqrt(len(values)))


def _ratio(name: str, values: FloatArray, weights: FloatArray) -> MeanReward:
    """Ratio estimate; its interval follows from linearisation at the estimate."""
    ratio = float(values.sum() / weights.sum())
    residual = _mean(name, (values - ratio * weights) / float(weights.mean()))
    return MeanReward(name, ratio, residual.half_width)
