"""Kinds of instructions: clusters of their texts or embeddings, or a given column, with names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# scikit-learn takes two seconds to import: only where it is used.

MAX_DOMAINS = 8
MIN_DOMAIN_SEEDS = 10
WORDS = 3
MAX_CHARS = 4000
TOPICS = 50
OTHER = "other"
"""The kind of seeds with a rare label or without one."""


def text_vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """Unit vectors, shape (texts, at most TOPICS), by latent semantic analysis (Deerwester et al. 1990).

    Terms are runs of 2 to 4 characters, so that it reads every language and sees the format of an instruction
    too. It needs no model. On tables of 14 kinds of prompts, choosing agents by its clusters earns nearly as
    much as by those of MiniLM's embeddings (`benchmarks/kinds.py`).
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    weights = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), min_df=2, max_features=20_000, sublinear_tf=True
    )
    try:
        matrix = weights.fit_transform([text[:MAX_CHARS] for text in texts])
    except ValueError:  # no term occurs twice
        return np.ones((len(texts), 1), dtype=np.float32)
    if matrix.shape[1] < 2:
        return np.ones((len(texts), 1), dtype=np.float32)
    topics = TruncatedSVD(min(TOPICS, matrix.shape[1] - 1), random_state=0).fit_transform(matrix)
    return np.asarray(normalize(topics), dtype=np.float32)


def clustered(vectors: NDArray[np.float32]) -> NDArray[np.intp]:
    """Domain of each unit vector, shape (seeds,), by k-means; k by the silhouette (Rousseeuw 1987)."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    most = min(MAX_DOMAINS, len(vectors) // MIN_DOMAIN_SEEDS)
    labels, best = np.zeros(len(vectors), dtype=np.intp), 0.0
    most = min(most, len(np.unique(vectors.round(4), axis=0)) - 1)
    for count in range(2, most + 1):
        found = KMeans(count, n_init=4, random_state=0).fit_predict(vectors)
        value = float(silhouette_score(vectors, found, sample_size=min(len(vectors), 1000), random_state=0))
        if value > best:
            labels, best = found.astype(np.intp), value
    return labels


def named(texts: Sequence[str], labels: NDArray[np.intp]) -> list[str]:
    """Each domain's most typical words, by the mean tf-idf of its texts minus that of all texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        weights = TfidfVectorizer(stop_words="english", max_features=20_000, sublinear_tf=True)
        matrix = weights.fit_transform(texts)
    except ValueError:  # no text has a word
        return [f"domain {label + 1}" for label in range(int(labels.max()) + 1)]
    words, overall = weights.get_feature_names_out(), np.asarray(matrix.mean(axis=0)).ravel()
    names = []
    for label in range(int(labels.max()) + 1):
        typical = np.asarray(matrix[labels == label].mean(axis=0)).ravel() - overall
        name = ", ".join(words[index] for index in typical.argsort()[::-1][:WORDS])
        names.append(name if name not in names else f"{name} ({label + 1})")
    return names


def by_label(names: Sequence[str]) -> tuple[NDArray[np.intp], list[str]]:
    """Domains from given names, most frequent first; rare names are merged into `other`, which may be one of
    the given names."""
    frequent = [name for name, count in Counter(names).most_common() if count >= MIN_DOMAIN_SEEDS]
    known = {name: index for index, name in enumerate(frequent[:MAX_DOMAINS])}
    other = known.get(OTHER, len(known))
    labels = np.array([known.get(name, other) for name in names], dtype=np.intp)
    return labels, [*known, *([OTHER] if (labels == len(known)).any() else [])]
