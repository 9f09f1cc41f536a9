"""The packaged sentence-embedding model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from actors.embedder import Embedder
from actors.memory import MemoryActor
from staragents.base.errors import BadInput
from staragents.config import MemoryConfig
from staragents.memory.memory import Taught
from staragents.models.model_names import check_model, resolve_model

MODEL = "packaged:all-minilm-l6-v2"

if problem := check_model(MODEL):
    pytest.skip(problem, allow_module_level=True)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(resolve_model(MODEL), threads=2)


def test_vectors_are_unit_float32_and_reflect_meaning(embedder: Embedder) -> None:
    river, stream, sorting = embedder.embed(
        [
            "Name a river in France.",
            "Which streams flow through French towns?",
            "Write a function that sorts numbers.",
        ]
    )
    assert embedder.size == river.size == 384
    assert river.dtype == np.float32
    assert np.linalg.norm(river) == pytest.approx(1.0, abs=1e-5)
    assert river @ stream > 0.4 > 0.2 > river @ sorting


def test_a_text_has_the_same_vector_in_any_batch(embedder: Embedder) -> None:
    texts = ["Name a river.", "word " * 20_000, ""]
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    if embedder._batch == 1:
        assert np.array_equal(together, alone), "on a CPU"
    assert np.allclose(together, alone, atol=1e-5)


async def test_the_memory_actor_recalls_by_meaning() -> None:
    bank = MemoryActor(MemoryConfig(neighbours=1), None, resolve_model(MODEL), "run")
    facts = await bank.start()
    assert (facts["embedder"], facts["size"]) == ("sentence-transformers", 384)
    code = ("s0", "Sort a list of numbers in Python.")
    list_rivers, name_rivers = ("s1", "List three French rivers."), ("s2", "Name some rivers in France.")
    await bank.embed([code, list_rivers, name_rivers])
    commits = [
        Taught(0, *code, ("code+x",), (0.9,), (True,)),
        Taught(1, *list_rivers, ("geography+x",), (0.4,), (True,)),
    ]
    found = await bank.commit_and_recall(commits, name_rivers)
    assert found.pairs == ("geography+x",)
    assert found.similarities[0] > 0.7


async def test_the_memory_actor_embeds_on_the_cpu_beside_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU, a text's vector would depend on those embedded with it, so on when a run was resumed."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    bank = MemoryActor(MemoryConfig(), None, resolve_model(MODEL), "run")
    await bank.start()
    assert isinstance(bank._embedder, Embedder)
    assert bank._embedder._model.device.type == "cpu"


async def test_a_model_that_cannot_be_loaded_is_bad_input(tmp_path: Path) -> None:
    bank = MemoryActor(MemoryConfig(embedder=str(tmp_path)), None, str(tmp_path), "run")
    with pytest.raises(BadInput, match=r"memory\.embedder: cannot load"):
        await bank.start()
