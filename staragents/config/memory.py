"""What is remembered of earlier instructions."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Quantization(StrEnum):
    none = "none"
    int8 = "int8"
    binary = "binary"


@dataclass
class MemoryConfig:
    """The instruction memory bank: which pairs did well on instructions like this one (paper 3.3)."""

    enabled: bool = True
    """Off: no embedding model is loaded and every draw is context-free."""
    embedder: str = "packaged:all-minilm-l6-v2"
    """A sentence-transformers model: hub id, local folder, `packaged:...`, or `fake`."""
    url: str | None = None
    """A Qdrant server; unset uses qdrant-client's local mode inside the run directory's cache."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the Qdrant key."""
    collection: str | None = None
    """Name on the server; unset: one per run, so that runs don't mix."""
    neighbours: int = 10
    """n: how many similar instructions are recalled."""
    min_similarity: float = 0.5
    """Cosine below which a neighbour says nothing."""
    warmup: int = 10
    """Seeds per pair before recall counts: an early bank only knows what was tried first."""
    max_points: int = 100_000
    """Size bound. First to leave are winners of small reward, and those that only repeat what a winner of the
    same pair on a near instruction says."""
    min_reward: float = 0.0
    """Insert only rewards above it."""
    reuse: list[str] = field(default_factory=list)
    """Run directories of earlier runs whose winners are remembered from the start, embedded anew."""
    timeout_s: float = 2.0
    """Deadline of one query; when it passes the draw is made without memory."""
    exact: bool = True
    """On a server: compare with every point. False uses the index, quicker beyond 100,000 points or so, and
    lets the same run recall other neighbours when it is repeated."""
    hnsw: dict[str, Any] = field(default_factory=dict)
    """On a server: the index's settings for a new collection, such as {m: 16, ef_construct: 100}."""
    quantization: Quantization = Quantization.none
    """On a server, for a new collection: int8 takes a quarter of the memory, binary a 32nd (for large
    embeddings); either counts with exact=false only."""
    on_disk: bool = False
    """On a server, for a new collection: keep the vectors on disk."""
