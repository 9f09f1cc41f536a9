"""Mean reward of every pair on every kind of instruction (domain), and the pairs that stand out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Minimum number of candidates for a test; fewer would mostly show noise.
CANDIDATES = 8
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Sampled:
    """One seed: its instruction and the rewards of its pairs, base pairs included."""

    row: int
    instruction: str
    rewards: dict[str, float]
    learned: dict[str, float]
    """By pair, what the policy learnt from these rewards (`reward.cost`)."""
    inclusion: dict[str, float] | None = None
    """Probability of every pair at the draw, without base pairs; None if it can't be recomputed."""


def table(seeds: Sequence[Sampled], labels: NDArray[np.intp], names: Sequence[str]) -> dict[str, Any]:
    """Mean reward of every pair in every domain, and the domains in which a pair stands out.

    A pair stands out in a domain if it earns more there than the means of pair and domain predict: reward -
    pair mean - domain mean + overall mean, one-sided t-test against 0, Holm correction over all cells at 5 %.
    A pair that is better in every domain stands out in none.
    """
    pairs = sorted({pair for seed in seeds for pair in seed.rewards})
    rows = [
        (pairs.index(pair), label, reward)
        for seed, label in zip(seeds, labels.tolist(), strict=True)
        for pair, reward in seed.rewards.items()
    ]
    cells: list[dict[str, Any]] = []
    if rows:
        pair, label, reward = (np.array(column) for column in zip(*rows, strict=True))
        main = _additive(pair, label, reward, len(pairs), len(names))
        for p, name in enumerate(pairs):
            for d, domain in enumerate(names):
                here = (pair == p) & (label == d)
                if here.any():
                    cells.append(
                        {"pair": name, "domain": domain} | _cell(reward[here], (reward - main)[here])
                    )
    _mark(cells)
    sizes = Counter(labels.tolist())
    return {
        "domains": [{"name": name, "seeds": sizes[index]} for index, name in enumerate(names)],
        "pairs": pairs,
        "cells": cells,
    }


def _additive(
    pair: NDArray[np.intp], label: NDArray[np.intp], reward: NDArray[np.float64], pairs: int, domains: int
) -> NDArray[np.float64]:
    """Least-squares fit of pair and domain effects. Pairs are drawn unequally often per domain, so plain
    means would confound the two."""
    design = np.zeros((len(reward), pairs + domains))
    design[np.arange(len(reward)), pair] = 1.0
    design[np.arange(len(reward)), pairs + label] = 1.0
    return design @ np.linalg.lstsq(design, reward, rcond=None)[0]


def _cell(rewards: NDArray[np.float64], rests: NDArray[np.float64]) -> dict[str, Any]:
    from scipy import stats  # takes a second to import

    count, mean = len(rewards), float(rewards.mean())
    half_width = float(stats.t.ppf(0.95, count - 1) * stats.sem(rewards)) if count > 1 else None
    tested = count >= CANDIDATES and float(rests.std()) > 0
    p_value = float(stats.ttest_1samp(rests, 0.0, alternative="greater").pvalue) if tested else 1.0
    return {
        "candidates": count,
        "reward": round(mean, 4),
        "half_width_90": None if half_width is None else round(half_width, 4),
        "beyond": round(float(rests.mean()), 4),
        "p_value": p_value,
        "tested": tested,
        "stands_out": False,
    }


def _mark(cells: list[dict[str, Any]]) -> None:
    """Holm correction (1979): the probability of any false positive stays below 5 %."""
    tested = sorted((cell for cell in cells if cell["tested"]), key=lambda cell: cell["p_value"])
    for rank, cell in enumerate(tested):
        if cell["p_value"] * (len(tested) - rank) > LEVEL:
            return
        cell["stands_out"] = True


def findings(domains: dict[str, Any], memory_enabled: bool) -> Iterator[str]:
    setting = (
        "draws use this through the memory bank, from memory.neighbours similar instructions"
        if memory_enabled
        else "memory.enabled=true lets draws use this"
    )
    for cell in domains["cells"]:
        if cell["stands_out"]:
            yield (
                f"{cell['pair']} stands out on instructions about {cell['domain']} (mean reward "
                f"{cell['reward']:.3f} of {cell['candidates']} candidates, {cell['beyond']:+.3f} above the "
                f"prediction from pair and domain): {setting}"
            )
