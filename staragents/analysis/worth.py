"""Whether learning paid: what other choices of pairs would have earned, from the logged draws of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from staragents.analysis.reward_model import Floats, Indices, Log, expected_rewards
from staragents.base.estimate import Estimate

MIN_SEEDS = 40
# Expected draws in the second half of the seeds. A pair with fewer is valued by its model more than by
# rewards.
MIN_DRAWS = 5.0
BLOCKS = 8


@dataclass(frozen=True, slots=True)
class KindChoice:
    """The best pair of a kind by the first half of the seeds. `beyond` is what it earned there in the second
    half more than the best pair over all kinds; None if it was drawn too rarely to tell."""

    kind: str
    seeds: int
    pair: str
    beyond: Estimate | None


@dataclass(frozen=True, slots=True)
class Worth:
    """Mean rewards per draw of the run and of choices that it did not make, and their differences.

    `run`, `uniform` and `learning` (their difference) are over all seeds. The others are over the second
    half: `fixed` are the `draws` pairs that were best in the first half, `by_kind` those that were best on
    each kind.
    """

    seeds: int
    draws: int
    """Pairs a choice; one fewer than the pairs if the run drew them all."""
    run: Estimate
    uniform: Estimate
    learning: Estimate
    run_late: Estimate
    fixed: Estimate | None
    """None, as everything that depends on it, if a pair of it was drawn too rarely."""
    fixed_beyond_run: Estimate | None
    by_kind: Estimate | None
    kinds_beyond_fixed: Estimate | None
    best_drawn: Estimate
    """Mean of the best reward among the draws of a seed: an oracle earns at least this with one draw."""
    fixed_pairs: list[str]
    kinds: list[KindChoice]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One seed in the order of the run: every pair's inclusion probability and the rewards of those drawn."""

    kind: int
    inclusion: Sequence[float]
    rewards: Mapping[int, float]
    """By the index of the pair."""


def worth_of(seeds: Sequence[Drawn], pairs: Sequence[str], names: Sequence[str], draws: int) -> Worth | None:
    """Adaptively weighted doubly robust estimates; None for fewer than `MIN_SEEDS` seeds or two pairs.

    The value of pair p on seed s is m(kind, p) + [p drawn] (reward - m(kind, p)) / inclusion (Dudik et al.
    2011), where m knows earlier seeds only. It is averaged over the seeds with weight sqrt(inclusion): with
    equal weights, the few late draws of a pair that the policy had given up decide everything (Hadad et al.
    2021).

    Choices are made on the first half of the seeds and evaluated on the second half, so that they can't be
    praised for the noise they were chosen by. The reverse would be wrong: what the policy draws in the second
    half, and so what looks best there, depends on the noise of the first. Intervals are normal, over seeds.
    """
    if len(seeds) < MIN_SEEDS or len(pairs) < 2:
        return None
    draws = min(draws, len(pairs) - 1)
    values = _Values(seeds, len(names), len(pairs))
    run = np.array([sum(seed.rewards.values()) / len(seed.rewards) for seed in seeds])
    uniform = values.of(np.ones(len(seeds), dtype=bool)).mean(axis=1)
    late = np.arange(len(seeds)) >= len(seeds) // 2
    model = expected_rewards(values.log.of(~late), len(names), len(pairs))
    frequency = np.bincount(values.kinds[~late], minlength=len(names)) / (~late).sum()
    fixed = np.argsort(-(frequency @ model), kind="stable")[:draws]
    of_kinds = np.argsort(-model, axis=1, kind="stable")[:, :draws]
    choices = _Choices(values, late, fixed, of_kinds)
    known = choices.known
    return Worth(
        seeds=len(seeds),
        draws=draws,
        run=Estimate.of(run),
        uniform=Estimate.of(uniform),
        learning=Estimate.of(run - uniform),
        run_late=Estimate.of(run[late]),
        fixed=Estimate.of(choices.fixed) if known else None,
        fixed_beyond_run=Estimate.of(choices.fixed - run[late]) if known else None,
        by_kind=Estimate.of(choices.by_kind) if known else None,
        kinds_beyond_fixed=Estimate.of(choices.by_kind - choices.fixed) if known else None,
        best_drawn=Estimate.of(np.array([max(seed.rewards.values()) for seed in seeds])),
        fixed_pairs=[pairs[index] for index in fixed],
        kinds=[
            KindChoice(name, int((values.kinds == kind).sum()), pairs[of_kinds[kind, 0]], beyond)
            for kind, (name, beyond) in enumerate(zip(names, choices.beyond, strict=True))
        ],
    )


class _Values:
    """Doubly robust values, shape (seeds, pairs), and their weights."""

    def __init__(self, seeds: Sequence[Drawn], kinds: int, pairs: int) -> None:
        self.kinds = np.array([seed.kind for seed in seeds], dtype=np.intp)
        self.inclusion = np.array([seed.inclusion for seed in seeds])
        rows = [
            (number, seed.kind, pair, reward, seed.inclusion[pair])
            for number, seed in enumerate(seeds)
            for pair, reward in seed.rewards.items()
        ]
        number, kind, pair, reward, propensity = (np.array(column) for column in zip(*rows, strict=True))
        self.log = log = Log(number, kind, pair, reward, propensity)
        edges = np.linspace(0, len(seeds), BLOCKS + 1).astype(int).tolist()
        model = np.full((kinds, pairs), float(reward[number < edges[1]].mean()))
        self._values = np.zeros((len(seeds), pairs))
        for first, end in pairwise(edges):
            if first:
                model = expected_rewards(log.of(np.arange(len(seeds)) < first), kinds, pairs)
            self._values[first:end] = model[self.kinds[first:end]]
            rows_here = (number >= first) & (number < end)
            error = (reward - model[kind, pair]) / propensity
            np.add.at(self._values, (number[rows_here], pair[rows_here]), error[rows_here])

    def of(self, seeds: NDArray[np.bool_]) -> Floats:
        """Values whose mean over the marked seeds is the weighted mean and whose spread is that of its
        influence function, shape (marked seeds, pairs). A pair that could be drawn on none of them has the
        values of its model."""
        weights, values = np.sqrt(self.inclusion[seeds]), self._values[seeds]
        weights[:, ~weights.any(axis=0)] = 1.0
        total = weights.sum(axis=0)
        mean = (weights * values).sum(axis=0) / total
        return mean + len(weights) * weights * (values - mean) / total


class _Choices:
    """Values of both choices on each seed of the second half. On a kind where a pair of `by_kind` can't be
    valued, the fixed choice remains."""

    def __init__(self, values: _Values, late: NDArray[np.bool_], fixed: Indices, of_kinds: Indices) -> None:
        self.fixed, self.by_kind = np.zeros(len(late)), np.zeros(len(late))
        self.known = bool((values.inclusion[late][:, fixed].sum(axis=0) >= MIN_DRAWS).all())
        self.beyond: list[Estimate | None] = []
        for kind, chosen in enumerate(of_kinds):
            here = late & (values.kinds == kind)
            expected = values.inclusion[here].sum(axis=0)
            if here.any():
                of_pairs = values.of(here)
                self.fixed[here] = of_pairs[:, fixed].mean(axis=1)
                self.by_kind[here] = self.fixed[here]
                if (expected[chosen] >= MIN_DRAWS).all():
                    self.by_kind[here] = of_pairs[:, chosen].mean(axis=1)
            told = here.sum() > 1 and min(expected[chosen[0]], expected[fixed[0]]) >= MIN_DRAWS
            difference = of_pairs[:, chosen[0]] - of_pairs[:, fixed[0]] if told else None
            self.beyond.append(None if difference is None else Estimate.of(difference))
        self.fixed, self.by_kind = self.fixed[late], self.by_kind[late]
