"""Packed execution on a GPU, which uses another attention kernel than a CPU.

The weights are large enough that attention matters: with the default ones, logits are nearly uniform, and a
window off by one changes scores by less than the rounding of bfloat16.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from staragents.config import Execution
from staragents.scoring import packed_attention
from staragents.scoring.ifd import Score
from staragents.scoring.ifd_model import IfdModel
from staragents.scoring.model_loading import Loading
from tests.support.tiny_models import TEXTS, rows, save_tokenizer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

SIZES: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 258,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
}
MODELS: dict[str, tuple[Any, Any]] = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SIZES)),
    "mistral": (MistralForCausalLM, MistralConfig(**SIZES, head_dim=64, sliding_window=16)),
}
LONG = [*TEXTS, ("Go on.", "A longer answer than every window. " * 3)]
# Relative, in the same dtype and to float32 on a CPU. A window off by one changes scores by a tenth.
TOLERANCES = {"float32": (5e-5, 1e-4), "bfloat16": (2e-2, 4e-2)}


@pytest.fixture(scope="module", params=list(MODELS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp(request.param)
    model_class, config = MODELS[request.param]
    torch.manual_seed(0)
    model_class(config).save_pretrained(path)
    save_tokenizer(path)
    return str(path)


@pytest.fixture(scope="module")
def on_cpu(folder: str) -> list[Score]:
    return scores(folder, "float32", Execution.padded, device="cpu")


def scores(folder: str, dtype: str, execution: Execution, device: str = "cuda") -> list[Score]:
    loading = Loading(dtype=dtype, device=device)
    return IfdModel(folder, loading=loading, execution=execution, batch_tokens=400).score(rows(LONG))


def check(ours: Sequence[Score], others: Sequence[Score], tolerance: float) -> None:
    for score, other in zip(ours, others, strict=True):
        assert score.nll_cond == pytest.approx(other.nll_cond, rel=tolerance)
        assert score.nll_direct == pytest.approx(other.nll_direct, rel=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_packed_and_padded_match_each_other_and_the_cpu(folder: str, on_cpu: list[Score], dtype: str) -> None:
    same_dtype, to_cpu = TOLERANCES[dtype]
    packed, padded = (scores(folder, dtype, one) for one in (Execution.packed, Execution.padded))
    check(packed, padded, same_dtype)
    check(packed, on_cpu, to_cpu)
    check(padded, on_cpu, to_cpu)


@pytest.mark.parametrize("name", packed_attention.kernels("cuda", torch.bfloat16))
def test_every_attention_kernel_matches_padded_execution(
    folder: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    padded = scores(folder, "bfloat16", Execution.padded)
    kernel = packed_attention.kernels("cuda", torch.bfloat16)[name]
    monkeypatch.setattr(packed_attention, "kernels", lambda *_: {name: kernel})
    check(scores(folder, "bfloat16", Execution.packed), padded, TOLERANCES["bfloat16"][0])
