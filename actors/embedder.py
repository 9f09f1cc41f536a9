"""Instruction embeddings by a sentence-transformers model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from actors.fake_embedder import FakeEmbedder
from staragents.base.errors import BadInput
from staragents.models.model_names import resolve_model

GPU_BATCH = 32
# The model reads only the first few hundred tokens; tokenising the rest of a huge row would waste time.
MAX_CHARS = 8000


class Embedder:
    """Runs on `device`, by default on the GPU if the process sees one; on a CPU with `threads` threads."""

    kind = "sentence-transformers"

    def __init__(self, model_path: str, threads: int, device: str | None = None) -> None:
        """Raises BadInput if the model cannot be loaded."""
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        # The progress bar for loading weights would end up in the command's output.
        disable_progress_bar()
        torch.set_num_threads(threads)
        try:
            self._model = SentenceTransformer(model_path, device=device)
        except (OSError, ValueError) as error:
            raise BadInput(f"memory.embedder: cannot load {model_path}: {error}") from error
        # Texts that are embedded together change each other's last digits, and so would the seeds that a run
        # happens to read together, as after a kill. On a CPU, one at a time costs no more: nothing is padded.
        self._batch = GPU_BATCH if self._model.device.type == "cuda" else 1
        self.size = self.embed(["Hello"]).shape[1]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), size)."""
        vectors = self._model.encode(
            [text[:MAX_CHARS] for text in texts],
            batch_size=self._batch,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32)


def load_embedder(name: str, threads: int = 1) -> Embedder | FakeEmbedder:
    """Load the model named by `memory.embedder`. Raises BadInput if there is no such model."""
    return FakeEmbedder() if name == "fake" else Embedder(resolve_model(name), threads)
