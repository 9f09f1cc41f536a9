"""IfdModel on tiny random models with a tokenizer trained on the spot: no packages, no network."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
)

from staragents.base.errors import BadInput
from staragents.config import Convention, Template
from staragents.scoring.ifd import Score, Status
from staragents.scoring.ifd_model import IfdModel
from staragents.scoring.model_loading import Loading
from staragents.scoring.span_cache import SpanCache
from tests.support.tiny_models import TEXTS, naive_nlls, rows, save_tokenizer

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 258,
    "max_position_embeddings": 128,
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    # Large weights make the outputs uneven, so that an error shows in the values.
    LlamaForCausalLM(LlamaConfig(**SIZES, initializer_range=0.3)).save_pretrained(folder)
    save_tokenizer(folder)
    return str(folder)


def assert_equals_naive(scores: list[Score], path: str) -> None:
    for score, (prompt, answer) in zip(scores, TEXTS, strict=True):
        cond, direct = naive_nlls(path, f"{prompt}\n" if prompt else "", answer)
        assert score.status is Status.ok
        assert score.nll_cond == pytest.approx(cond, rel=1e-4)
        assert score.nll_direct == pytest.approx(direct, rel=1e-4)


def test_exact_convention_equals_the_naive_loop(tiny: str) -> None:
    assert_equals_naive(IfdModel(tiny, threads=1).score(rows(TEXTS)), tiny)


def test_other_rows_and_the_batch_size_do_not_change_a_score(tiny: str) -> None:
    together = IfdModel(tiny, threads=1).score(rows(TEXTS))
    for budget in (1, 100):
        model = IfdModel(tiny, threads=1, batch_tokens=budget)
        backwards = model.score(rows(TEXTS[::-1]))[::-1]
        for a, b in zip(together, backwards, strict=True):
            assert a.nll_cond == pytest.approx(b.nll_cond, rel=1e-5)
            assert a.nll_direct == pytest.approx(b.nll_direct, rel=1e-5)


def test_without_a_prompt_the_ifd_is_exactly_one(tiny: str) -> None:
    texts = [("", "Nobody asked for this."), ("", "x" * 500), ("Question?", "A longer answer, to be padded.")]
    for convention in Convention:
        for template in (Template.plain, Template.alpaca):
            model = IfdModel(tiny, threads=1, convention=convention, template=template)
            first, cut, _ = model.score(rows(texts))
            assert first.ifd == 1.0
            assert cut.status is Status.truncated
            assert cut.ifd == 1.0


def test_every_kind_of_row_gets_its_status(tiny: str) -> None:
    model = IfdModel(tiny, threads=1, max_length=40)
    texts = [
        ("Question?", ""),
        ("Question?", " \n "),
        ("Question?", "No."),
        ("Q" * 60, "A long enough answer."),
        ("Question?", "A" * 60),
        ("Question?", "A good answer."),
    ]
    scores = model.score(rows(texts))
    assert [score.status.value for score in scores] == [
        "empty",
        "empty",
        "too_short",
        "prompt_too_long",
        "truncated",
        "ok",
    ]
    assert [score.ifd is None for score in scores] == [True, True, True, True, False, False]
    assert scores[4].tokens == 40 - 1 - len("Question?\n") == scores[4].answer_bytes
    assert scores[4].tokens_total == 60


def test_a_cut_inside_a_character_does_not_count_its_bytes(tiny: str) -> None:
    # 13 tokens are left for 4-byte characters: three whole ones and a byte of the fourth.
    [score] = IfdModel(tiny, threads=1, max_length=24).score(rows([("Question?", "\U0001f600" * 9)]))
    assert score.tokens == 13
    assert score.answer_bytes == 12


def test_one_token_can_be_scored_where_allowed(tiny: str) -> None:
    [score] = IfdModel(tiny, threads=1, min_answer_tokens=1).score(rows([("Question?", "A")]))
    cond, direct = naive_nlls(tiny, "Question?\n", "A")
    assert score.nll_cond == pytest.approx(cond, rel=1e-4)
    assert score.nll_direct == pytest.approx(direct, rel=1e-4)


def test_no_rows_are_no_scores(tiny: str) -> None:
    assert IfdModel(tiny, threads=1).score([]) == []


class CountingCache(SpanCache):
    computed = 0

    def put(self, nlls: Mapping[bytes, float]) -> None:
        self.computed += len(nlls)
        super().put(nlls)


def test_equal_sequences_are_run_once(tiny: str) -> None:
    cache = CountingCache()
    model = IfdModel(tiny, threads=1, cache=cache)
    model.score(rows([("One?", "The answer."), ("One?", "The answer."), ("Two?", "The answer.")]))
    assert cache.computed == 3


def test_a_text_longer_than_the_tokenizers_limit_is_scored(tiny: str) -> None:
    [score] = IfdModel(tiny, threads=1).score(rows([("Question?", "A" * 5000)]))
    assert score.status is Status.truncated
    assert score.tokens == 128 - 1 - len("Question?\n")


def test_eos_replaces_a_missing_bos(tiny: str, tmp_path: Path) -> None:
    LlamaForCausalLM.from_pretrained(tiny).save_pretrained(tmp_path)
    save_tokenizer(tmp_path, with_bos=False)
    [score] = IfdModel(str(tmp_path), threads=1).score(rows([("Question?", "An answer.")]))
    cond, direct = naive_nlls(str(tmp_path), "Question?\n", "An answer.", anchor=1)
    assert score.nll_cond == pytest.approx(cond, rel=1e-4)
    assert score.nll_direct == pytest.approx(direct, rel=1e-4)


def test_capped_logits_are_scored_as_the_model_caps_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = Gemma2Config(**SIZES, final_logit_softcapping=2.0, initializer_range=0.5, sliding_window=16)
    Gemma2ForCausalLM(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    scores = IfdModel(str(tmp_path), threads=1).score(rows(TEXTS))
    assert_equals_naive(scores, str(tmp_path))


def test_a_model_that_scales_its_logits_differently_is_refused(tmp_path: Path) -> None:
    sizes = {key: value for key, value in SIZES.items() if key != "head_dim"}
    CohereForCausalLM(CohereConfig(**sizes, logit_scale=9.0, initializer_range=0.5)).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    with pytest.raises(BadInput, match="output head"):
        IfdModel(str(tmp_path), threads=1)


def test_a_tokenizer_of_another_model_is_bad_input(tmp_path: Path) -> None:
    LlamaForCausalLM(LlamaConfig(**SIZES | {"vocab_size": 100})).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    with pytest.raises(BadInput, match="ids below 100"):
        IfdModel(str(tmp_path), threads=1).score(rows([("Question?", "zebra")]))


def test_a_nonfinite_loss_is_a_status_and_not_a_value(tiny: str, tmp_path: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(tiny)
    # The token of "z": infinite where it occurs in a text, harmless elsewhere.
    with torch.no_grad():
        model.model.embed_tokens.weight[save_tokenizer(tmp_path).convert_tokens_to_ids("z")] = math.inf
    model.save_pretrained(tmp_path)
    bad, good = IfdModel(str(tmp_path), threads=1).score(rows([("z", "zzzzzz"), ("a", "bcdefg")]))
    assert bad.status is Status.nonfinite
    assert bad.ifd is None
    assert good.status is Status.ok


def test_models_are_distinguished_by_their_vocabulary(tiny: str, tmp_path: Path) -> None:
    LlamaForCausalLM.from_pretrained(tiny).save_pretrained(tmp_path)
    other = save_tokenizer(tmp_path)
    assert IfdModel(str(tmp_path), threads=1).tokenizer_id == IfdModel(tiny, threads=1).tokenizer_id
    other.add_tokens(["<new>"])
    other.save_pretrained(tmp_path)
    assert IfdModel(str(tmp_path), threads=1).tokenizer_id != IfdModel(tiny, threads=1).tokenizer_id


def test_name_and_size_of_the_model_are_known(tiny: str) -> None:
    model = IfdModel(tiny, threads=1)
    assert model.model_name == Path(tiny).name
    assert model.parameters == LlamaForCausalLM.from_pretrained(tiny).num_parameters()


def test_unusable_settings_are_bad_input(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="chat template"):
        IfdModel(tiny, threads=1, template=Template.chat)
    with pytest.raises(BadInput, match="float99"):
        IfdModel(tiny, threads=1, loading=Loading(dtype="float99"))
    with pytest.raises(BadInput, match="can't load"):
        IfdModel(str(tmp_path), threads=1)


def test_an_adapter_changes_the_scores_as_merging_it_would(tiny: str, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="needs the extra lora")
    torch.manual_seed(1)
    lora = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    adapted = peft.get_peft_model(LlamaForCausalLM.from_pretrained(tiny), lora)
    adapted.save_pretrained(tmp_path / "adapter")
    adapted.merge_and_unload().save_pretrained(tmp_path / "merged")
    save_tokenizer(tmp_path / "merged")
    plain = IfdModel(tiny).score(rows(TEXTS))
    with_adapter = IfdModel(tiny, loading=Loading(adapter=str(tmp_path / "adapter"))).score(rows(TEXTS))
    for score, other in zip(with_adapter, plain, strict=True):
        assert score.nll_cond != pytest.approx(other.nll_cond, rel=1e-4)
    assert_equals_naive(with_adapter, str(tmp_path / "merged"))


def test_a_missing_adapter_is_bad_input(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="can't load"):
        IfdModel(tiny, loading=Loading(adapter=str(tmp_path / "none")))


def test_unknown_quantisation_is_bad_input(tiny: str) -> None:
    with pytest.raises(BadInput, match="8bit or 4bit"):
        IfdModel(tiny, loading=Loading(quantization="3bit"))


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_missing_device_is_bad_input(tiny: str, device: str) -> None:
    with pytest.raises(BadInput, match="device: expected"):
        IfdModel(tiny, loading=Loading(device=device))
