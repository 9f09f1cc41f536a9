"""Off-policy evaluation: what another policy would have earned, from a finished run's candidates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from staragents.base.errors import BadInput
from staragents.base.records import Candidate
from staragents.config import EvolutionConfig
from staragents.evolution.choice import make_policy
from staragents.evolution.drawing import FloatArray
from staragents.evolution.policy import Outcome

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
    """`effective_draws` is (sum w)^2 / sum w^2 over the run's draws; `warning` is set if it is too small."""

    policy: str
    seeds: int
    draws: int
    missing: int
    logged: MeanReward
    estimates: tuple[MeanReward, ...]
    effective_draws: float
    warning: str | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def estimate(
    seeds: Iterable[Sequence[Candidate]],
    config: EvolutionConfig,
    pairs: Sequence[str],
    total_seeds: int,
    factors: dict[str, tuple[str, str]],
) -> OffPolicy:
    """Inverse propensity (IPS), self-normalised and doubly robust estimates for `config`'s policy.

    The policy observes the run's outcomes seed by seed; before each seed it gives its inclusion
    probabilities. Weights are these divided by the logged propensities (Horvitz and Thompson 1952, because
    draws are without replacement). The doubly robust form (Dudik et al. 2011) uses each pair's running mean
    as its reward model, so IPS and the doubly robust estimate are unbiased given the past. Draws without a
    reward and base pairs are left out. Neighbours are not used: the policy is evaluated without memory.
    """
    policy = make_policy(config, pairs, total_seeds, factors)
    totals, numbers = np.zeros(len(pairs)), np.zeros(len(pairs))
    index = {pair: i for i, pair in enumerate(pairs)}
    logged: list[float] = []
    ips: list[float] = []
    robust: list[float] = []
    weight_sums: list[float] = []
    weights: list[float] = []
    draws = missing = 0
    for number, candidates in enumerate(seeds):
        drawn = [candidate for candidate in candidates if not candidate.base]
        known = [candidate for candidate in drawn if candidate.reward is not None]
        draws += len(drawn)
        missing += len(drawn) - len(known)
        if not known:
            continue
        for candidate in known:
            if candidate.pair not in index or not 0 < candidate.propensity <= 1:
                raise BadInput(
                    f"seed {candidate.seed_id}: expected a pair of the config with a propensity above 0, "
                    f"got {candidate.pair} with {candidate.propensity}"
                )
        inclusion = policy.inclusion(len(drawn), number, ())
        target = np.array([inclusion[pair] for pair in pairs])
        # A pair without observations gets the mean of the others.
        mean_so_far = float(totals.sum() / numbers.sum()) if numbers.any() else 0.0
        model = np.where(numbers > 0, totals / np.maximum(numbers, 1), mean_so_far)
        direct = float(target @ model)
        seed_weights = [inclusion[one.pair] / one.propensity for one in known]
        rewards = [float(one.reward or 0.0) for one in known]
        size = len(drawn)
        ips.append(sum(w * r for w, r in zip(seed_weights, rewards, strict=True)) / size)
        corrections = (
            w * (r - model[index[one.pair]]) for w, r, one in zip(seed_weights, rewards, known, strict=True)
        )
        robust.append((direct + sum(corrections)) / size)
        logged.append(sum(rewards) / len(rewards))
        weight_sums.append(sum(seed_weights) / size)
        weights += seed_weights
        for one, reward in zip(known, rewards, strict=True):
            totals[index[one.pair]] += reward
            numbers[index[one.pair]] += 1
        policy.observe(
            [Outcome(o.pair, r, o.selected, o.propensity) for o, r in zip(known, rewards, strict=True)]
        )
    if not weights:
        raise BadInput("candidates: expected drawn candidates with rewards, got none")
    effective = sum(weights) ** 2 / sum(w * w for w in weights) if any(weights) else 0.0
    return OffPolicy(
        policy=config.policy.value,
        seeds=len(ips),
        draws=draws,
        missing=missing,
        logged=_mean("the run itself", np.array(logged)),
        estimates=(
            _mean("inverse propensity", np.array(ips)),
            _ratio("self-normalised", np.array(ips), np.array(weight_sums)),
            _mean("doubly robust", np.array(robust)),
        ),
        effective_draws=effective,
        warning=_warning(effective, len(weights)),
    )


def _mean(name: str, values: FloatArray) -> MeanReward:
    spread = float(values.std(ddof=1)) if len(values) > 1 else math.inf
    return MeanReward(name, float(values.mean()), 1.96 * spread / math.sqrt(len(values)))


def _ratio(name: str, values: FloatArray, weights: FloatArray) -> MeanReward:
    """Ratio estimate; its interval follows from linearisation at the estimate."""
    ratio = float(values.sum() / weights.sum())
    residual = _mean(name, (values - ratio * weights) / float(weights.mean()))
    return MeanReward(name, ratio, residual.half_width)


def _warning(effective: float, draws: int) -> str | None:
    if effective >= MIN_EFFECTIVE and effective >= MIN_SHARE * draws:
        return None
    return (
        f"the estimates rest on {effective:.0f} effective draws of {draws}: this policy prefers pairs that "
        "the run rarely drew. Record a run with a larger evolution.floor or policy=uniform."
    )
