"""The converted models are the models they claim to be."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.loaded_models import model_of, tokenizer_of

TEXTS = [
    "Hello  world\n\n1234 3.14\n\n12\n",
    "\u4e2d\u6587 caf\u00e9 \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467\n\tx = [1, 2]  #",
    " leading and trailing ",
]


def load(folder: str) -> tuple[Any, Any]:
    return model_of(folder), tokenizer_of(folder)


def continuation(model: Any, tokenizer: Any, inputs: Any, tokens: int) -> str:
    ids = model.generate(**inputs, max_new_tokens=tokens, do_sample=False)[0][inputs["input_ids"].shape[1] :]
    return str(tokenizer.decode(ids, skip_special_tokens=True))


def mean_nll(model: Any, ids: list[int]) -> float:
    inputs = torch.tensor([ids])
    with torch.no_grad():
        return float(model(inputs, labels=inputs).loss)


def test_smollm2_answers_through_its_chat_template(smollm2: str) -> None:
    model, tokenizer = load(smollm2)
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Name three fruits."}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    assert "banana" in continuation(model, tokenizer, inputs, 24).lower()


def test_gemma_continues_facts_and_gets_its_bos(gemma3: str) -> None:
    model, tokenizer = load(gemma3)
    inputs = tokenizer("The capital of France is Paris. The capital of Italy is", return_tensors="pt")
    assert inputs["input_ids"][0, 0] == tokenizer.bos_token_id
    assert continuation(model, tokenizer, inputs, 4).strip().startswith("Rome")


def test_english_surprises_gemma_little_and_far_more_without_bos(gemma3: str) -> None:
    model, tokenizer = load(gemma3)
    ids = tokenizer("Water boils at 100 degrees Celsius, and it freezes at 0 degrees Celsius.")["input_ids"]
    assert mean_nll(model, ids) < 2.5
    assert mean_nll(model, ids[1:]) > mean_nll(model, ids) + 1


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
@pytest.mark.parametrize("text", TEXTS)
def test_tokenizers_round_trip(name: str, text: str, request: pytest.FixtureRequest) -> None:
    tokenizer = tokenizer_of(request.getfixturevalue(name))
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_special_tokens_are_the_originals(smollm2: str, gemma3: str) -> None:
    smol, gemma = tokenizer_of(smollm2), tokenizer_of(gemma3)
    assert (smol.bos_token, smol.eos_token, smol.bos_token_id, smol.eos_token_id) == (
        "<|im_start|>",
        "<|im_end|>",
        1,
        2,
    )
    assert (gemma.bos_token, gemma.eos_token, gemma.bos_token_id, gemma.eos_token_id) == (
        "<bos>",
        "<eos>",
        2,
        1,
    )
    # Published ids of Gemma 3 verify the merges rebuilt from GGUF.
    assert gemma.encode("Hello world") == [2, 9259, 1902]
    assert gemma.chat_template is None
    assert smol.model_max_length == 8192


def test_smollm2_splits_digits_from_spaces(smollm2: str) -> None:
    tokenizer = tokenizer_of(smollm2)
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode("\n\n12")) == ["\u010a\u010a", "1", "2"]


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_a_converted_folder_says_where_it_comes_from(name: str, request: pytest.FixtureRequest) -> None:
    source = (Path(request.getfixturevalue(name)) / "SOURCE.txt").read_text()
    assert "Licence: " in source
    assert "Changed: " in source


def test_minilm_puts_similar_texts_close_together(minilm: str) -> None:
    from sentence_transformers import SentenceTransformer

    vectors = SentenceTransformer(minilm, device="cpu").encode(
        ["How do I cook rice?", "What is the way to prepare rice?", "Prove that 7 is prime."],
        normalize_embeddings=True,
    )
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > 0.7 > 0.3 > vectors[0] @ vectors[2]
