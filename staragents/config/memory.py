"""The instruction memory bank."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from staragents.config.marks import ONE_OR_MORE, POSITIVE, SHARE, ZERO_OR_MORE, Location, Mark, Range


class Keep(StrEnum):
    outcomes = "outcomes"
    winners = "winners"


class Quantization(StrEnum):
    none = "none"
    int8 = "int8"
    binary = "binary"


@dataclass
class MemoryConfig:
    """The instruction memory bank: which pairs did well on similar instructions (paper 3.3)."""

    enabled: bool = True
    """If off, no embedding model is loaded and every draw is context-free."""
    embedder: Annotated[str, Location()] = "packaged:all-minilm-l6-v2"
    """A sentence-transformers model: hub id, local folder, `packaged:...`, or `fake`."""
    url: Annotated[str | None, Location(secret_in="memory.api_key_env")] = None
    """URL of a Qdrant server. Unset: qdrant-client's local mode, inside the run directory."""
    api_key_env: Annotated[str | None, Mark.on_resume] = None
    """Name of the environment variable that holds the Qdrant API key."""
    collection: str | None = None
    """Name of the collection on the server. Unset: one per run, so that runs don't mix."""
    keep: Keep = Keep.outcomes
    """`outcomes`: what every drawn pair earned on a seed, as losses are what tells specialists apart.
    `winners`: the chosen candidate's pair alone, as in the paper."""
    neighbours: Annotated[int, ONE_OR_MORE] = 150
    """n: the number of similar instructions to recall."""
    min_similarity: Annotated[float, Range(-1, 1)] = -1.0
    """Neighbours with a lower cosine similarity are ignored."""
    warmup: Annotated[int, ZERO_OR_MORE] = 10
    """Seeds per pair before recall is used: an early bank only reflects what was tried first."""
    max_points: Annotated[int, ONE_OR_MORE] = 100_000
    """Maximum size. Winners with a small reward are evicted first, then winners that are redundant with
    another winner of the same pair on a similar instruction."""
    min_reward: Annotated[float, SHARE] = 0.0
    """Insert only winners with a reward above this."""
    reuse: Annotated[list[str], Location()] = field(default_factory=list)
    """Directories of earlier runs whose winners are in the bank from the start. They are embedded again."""
    timeout_s: Annotated[float, POSITIVE, Mark.on_resume] = 2.0
    """Timeout of a query; after it, the draw is made without memory."""
    exact: bool = True
    """On a server: compare with every point. False uses the index, which is faster beyond about 100,000
    points but may recall different neighbours when the run is repeated."""
    hnsw: dict[str, Any] = field(default_factory=dict)
    """On a server: index settings for a new collection, such as {m: 16, ef_construct: 100}."""
    quantization: Quantization = Quantization.none
    """On a server, for a new collection: int8 takes a quarter of the memory, binary a 32nd (for large
    embeddings). Both apply only with exact=false."""
    on_disk: bool = False
    """On a server, for a new collection: keep the vectors on disk."""
