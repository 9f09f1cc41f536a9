"""Clusters instructions into domains and finds the pairs that stand out in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import silhouette_score

MAX_DOMAINS = 8
MIN_DOMAIN_SEEDS = 10
WORDS = 3
# Minimum number of candidates for a test; fewer would mostly show noise.
CANDIDATES = 8
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Sampled:
    """One seed: its instruction and the rewards of its pairs."""

    row: int
    instruction: str
    rewards: dict[str, float]


def clustered(vectors: NDArray[np.float32]) -> NDArray[np.intp]:
    """Domain of each unit vector, shape (seeds,), by k-means; k by the silhouette (Rousseeuw 1987)."""
    most = min(MAX_DOMAINS, len(vectors) // MIN_DOMAIN_SEEDS)
    labels, best = np.zeros(len(vectors), dtype=np.intp), 0.0
    for count in range(2, most + 1):
        found = KMeans(count, n_init=4, random_state=0).fit_predict(vectors)
        value = float(silhouette_score(vectors, found, sample_size=min(len(vectors), 1000), random_state=0))
        if value > best:
            labels, best = found.astype(np.intp), value
    return labels


def named(texts: Sequence[str], labels: NDArray[np.intp]) -> list[str]:
    """Each domain's most typical words, by the mean tf-idf of its texts minus that of all texts."""
    try:
        weights = TfidfVectorizer(stop_words="english", max_features=20_000, sublinear_tf=True)
        matrix = weights.fit_transform(texts)
    except ValueError:  # no text has a word
        return [f"domain {label + 1}" for label in range(int(labels.max()) + 1)]
    words, overall = weights.get_feature_names_out(), np.asarray(matrix.mean(axis=0)).ravel()
    names = []
    for label in range(int(labels.max()) + 1):
        typical = np.asarray(matrix[labels == label].mean(axis=0)).ravel() - overall
        names.append(", ".join(words[index] for index in typical.argsort()[::-1][:WORDS]))
    return names


def by_label(names: Sequence[str]) -> tuple[NDArray[np.intp], list[str]]:
    """Domains from given names, most frequent first; rare names are merged into `other`."""
    frequent = [name for name, count in Counter(names).most_common() if count >= MIN_DOMAIN_SEEDS]
    known = {name: index for index, name in enumerate(frequent[:MAX_DOMAINS])}
    labels = np.array([known.get(name, len(known)) for name in names], dtype=np.intp)
    return labels, [*known, *(["other"] if (labels == len(known)).any() else [])]


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
        "a smaller memory.min_similarity lets more draws use this"
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
