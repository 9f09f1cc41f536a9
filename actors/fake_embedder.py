"""Embeddings without a model, for load and fault tests."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WORD = re.compile(r"\w+")


class FakeEmbedder:
    """Counts of hashed words as unit vectors: texts are similar if they share words."""

    kind = "fake"
    size = 256

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), size). All texts without a word share one vector."""
        vectors = np.zeros((len(texts), self.size), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in WORD.findall(text.lower()) or [""]:
                code = zlib.crc32(word.encode())
                vector[code % self.size] += 1.0 if code & 0x10000 else -1.0
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        # Words that hash to the same index can cancel out.
        vectors[norms[:, 0] == 0, 0] = 1.0
        return vectors / np.where(norms == 0, 1.0, norms)
