"""Packed equals padded equals one by one, on tiny random models of many architectures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from staragents.base.errors import BadInput, EngineError
from staragents.base.messages import Message
from staragents.config import Execution
from staragents.scoring import ifd_model, losses
from staragents.scoring.ifd import ScoreRow, Status
from staragents.scoring.ifd_model import IfdModel
from staragents.scoring.losses import SMALLEST_ROOM
from tests.support.tiny_models import TEXTS, naive_nlls, rows, save_tokenizer

pytestmark = pytest.mark.slow

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 258,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
}
GROUPED = {**SIZES, "num_key_value_heads": 2}
MODELS: dict[str, tuple[Any, Any]] = {
    "pythia": (GPTNeoXForCausalLM, GPTNeoXConfig(**SIZES)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**GROUPED)),
    "phi": (PhiForCausalLM, PhiConfig(**SIZES)),
    "mistral": (MistralForCausalLM, MistralConfig(**GROUPED, head_dim=8, sliding_window=16)),
    "gemma3": (
        Gemma3ForCausalLM,
        Gemma3TextConfig(
            **GROUPED,
            head_dim=8,
            sliding_window=16,
            layer_types=["sliding_attention", "full_attention"],
        ),
    ),
    "gpt2": (GPT2LMHeadModel, GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=258, n_positions=512)),
}
LENGTHS = st.lists(st.tuples(st.text(max_size=60), st.text(max_size=200)), min_size=1, max_size=12)


@pytest.fixture(scope="module", params=list(MODELS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp(request.param)
    save_model(path, *MODELS[request.param])
    return str(path)


@pytest.fixture(scope="module")
def pythia(tmp_path_factory: pytest.TempPathFactory) -> tuple[IfdModel, IfdModel]:
    path = tmp_path_factory.mktemp("pythia")
    save_model(path, *MODELS["pythia"])
    packed, padded = (
        IfdModel(str(path), execution=execution, min_answer_tokens=1)
        for execution in (Execution.packed, Execution.padded)
    )
    return packed, padded


def save_model(path: Path, model_class: Any, config: Any) -> None:
    torch.manual_seed(0)
    model_class(config).save_pretrained(path)
    save_tokenizer(path)


def test_packed_equals_padded_equals_the_naive_loop(folder: str) -> None:
    texts = [*TEXTS, ("Go on.", "A longer answer than every window. " * 3)]
    packed = IfdModel(folder, execution=Execution.packed, batch_tokens=200).score(rows(texts))
    padded = IfdModel(folder, execution=Execution.padded).score(rows(texts))
    for ours, other, (prompt, answer) in zip(packed, padded, texts, strict=True):
        cond, direct = naive_nlls(folder, f"{prompt}\n" if prompt else "", answer)
        assert ours.status is other.status is Status.ok
        for score in (ours, other):
            assert score.nll_cond == pytest.approx(cond, rel=1e-4)
            assert score.nll_direct == pytest.approx(direct, rel=1e-4)


def test_an_architecture_that_cannot_be_packed_is_padded(tmp_path: Path) -> None:
    config = BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=258, initializer_range=0.3)
    save_model(tmp_path, BloomForCausalLM, config)
    for score, (prompt, answer) in zip(IfdModel(str(tmp_path)).score(rows(TEXTS)), TEXTS, strict=True):
        cond, direct = naive_nlls(str(tmp_path), f"{prompt}\n" if prompt else "", answer)
        assert score.nll_cond == pytest.approx(cond, rel=1e-4)
        assert score.nll_direct == pytest.approx(direct, rel=1e-4)
    with pytest.raises(BadInput, match=r"scoring\.execution"):
        IfdModel(str(tmp_path), execution=Execution.packed)


@settings(max_examples=25, deadline=None)
@given(texts=LENGTHS, budget=st.integers(1, 600))
def test_any_mix_in_any_budget_equals_scoring_each_row_alone(
    pythia: tuple[IfdModel, IfdModel], texts: list[tuple[str, str]], budget: int
) -> None:
    packed, padded = pythia
    for model in (packed, padded):
        model._batch_tokens = budget
        together = model.score(rows(texts))
        model._batch_tokens = 512
        for score, text in zip(together, texts, strict=True):
            [alone] = padded.score(rows([text]))
            assert score.status is alone.status
            for ours, other in ((score.nll_cond, alone.nll_cond), (score.nll_direct, alone.nll_direct)):
                assert ours == (None if other is None else pytest.approx(other, rel=1e-5))


def test_a_batch_that_runs_out_of_memory_is_halved(
    pythia: tuple[IfdModel, IfdModel], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = pythia[0]
    expected = model.score(rows(TEXTS))
    run = model._backbone.hidden

    def hidden(spans: list[Any]) -> torch.Tensor:
        if sum(len(span.ids) for span in spans) > 100:
            raise torch.OutOfMemoryError("as CUDA says it")
        return run(spans)

    monkeypatch.setattr(model._backbone, "hidden", hidden)
    for score, other in zip(model.score(rows(TEXTS)), expected, strict=True):
        assert score.nll_cond == pytest.approx(other.nll_cond, rel=1e-5)
    assert "continuing with half of it" in caplog.text
    model._batch_tokens = 512


def test_logits_that_do_not_fit_are_halved_with_the_batch(
    pythia: tuple[IfdModel, IfdModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Smaller batches take larger blocks of the vocabulary, so their logits took as much memory."""
    model = pythia[0]
    expected = model.score(rows(TEXTS))
    rooms: list[int] = []

    def token_nlls(*arguments: Any) -> torch.Tensor:
        rooms.append(arguments[5])
        if rooms[-1] > 3 * SMALLEST_ROOM:
            raise torch.OutOfMemoryError("as CUDA says it")
        return losses.token_nlls(*arguments)

    monkeypatch.setattr(ifd_model, "token_nlls", token_nlls)
    monkeypatch.setattr(model, "_logits_room", 16 * SMALLEST_ROOM)
    monkeypatch.setattr(model, "_batch_tokens", 512)
    for score, other in zip(model.score(rows(TEXTS)), expected, strict=True):
        assert score.nll_cond == pytest.approx(other.nll_cond, rel=1e-5)
    assert [room // SMALLEST_ROOM for room in rooms[:4]] == [16, 8, 4, 2]
    assert set(rooms[3:]) == {2 * SMALLEST_ROOM}


@pytest.mark.parametrize("start", [1 << 21, 8 * SMALLEST_ROOM])
def test_a_sequence_that_never_fits_ends_in_an_error(
    pythia: tuple[IfdModel, IfdModel], monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    model = pythia[0]

    def hidden(_: list[Any]) -> torch.Tensor:
        raise torch.OutOfMemoryError("as CUDA says it")

    monkeypatch.setattr(model._backbone, "hidden", hidden)
    monkeypatch.setattr(model, "_logits_room", start)
    monkeypatch.setattr(model, "_batch_tokens", 64)
    with pytest.raises(EngineError, match=r"lower scoring\.max_length"):
        model.score(rows(TEXTS))
    assert model._logits_room == min(start, SMALLEST_ROOM)


def test_the_last_answer_of_a_conversation_is_scored_given_all_before(folder: str) -> None:
    turns = (
        Message("system", "Be kind."),
        Message("user", "Hello."),
        Message("assistant", "Hello to you."),
        Message("user", "Name a fruit."),
        Message("assistant", "An apple is one."),
    )
    [score] = IfdModel(folder).score([ScoreRow(turns)])
    cond, direct = naive_nlls(folder, "Be kind.\nHello.\nHello to you.\nName a fruit.\n", "An apple is one.")
    assert score.nll_cond == pytest.approx(cond, rel=1e-4)
    assert score.nll_direct == pytest.approx(direct, rel=1e-4)
