"""Packed execution on a GPU, which uses another attention kernel than a CPU."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from staragents.config import Execution
from staragents.scoring import packed_attention
from staragents.scoring.ifd_model import IfdModel
from staragents.scoring.model_loading import Loading
from tests.support.tiny_models import TEXTS, rows, save_tokenizer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(**sizes, **heads, vocab_size=258, max_position_embeddings=512)
    LlamaForCausalLM(config).save_pretrained(path)
    save_tokenizer(path)
    return str(path)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_packed_and_padded_match_the_cpu(folder: str, dtype: str) -> None:
    expected = IfdModel(folder, loading=Loading(device="cpu")).score(rows(TEXTS))
    tolerance = 1e-4 if dtype == "float32" else 2e-2
    for execution in (Execution.packed, Execution.padded):
        model = IfdModel(folder, loading=Loading(dtype=dtype, device="cuda"), execution=execution)
        for score, other in zip(model.score(rows(TEXTS)), expected, strict=True):
            assert score.nll_cond == pytest.approx(other.nll_cond, rel=tolerance)
            assert score.nll_direct == pytest.approx(other.nll_direct, rel=tolerance)


@pytest.mark.parametrize("name", packed_attention.kernels("cuda", torch.bfloat16))
def test_every_attention_kernel_matches_the_cpu(
    folder: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = IfdModel(folder, loading=Loading(device="cpu")).score(rows(TEXTS))
    kernel = packed_attention.kernels("cuda", torch.bfloat16)[name]
    monkeypatch.setattr(packed_attention, "kernels", lambda *_: {name: kernel})
    model = IfdModel(folder, loading=Loading(dtype="bfloat16", device="cuda"), execution=Execution.packed)
    for score, other in zip(model.score(rows(TEXTS)), expected, strict=True):
        assert score.nll_cond == pytest.approx(other.nll_cond, rel=2e-2)
