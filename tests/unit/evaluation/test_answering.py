"""What of a student's tokens is its answer."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from staragents.evaluation.answering import _text
from tests.support.tiny_models import save_tokenizer

MARKS = ("[THINK]", "[/THINK]", "<seed:think>", "</seed:think>", "<|channel|>", "<|message|>", "<|start|>")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    """Its marks of thoughts are special tokens, as those of Magistral, Seed-OSS and gpt-oss."""
    made = save_tokenizer(tmp_path_factory.mktemp("marks"))
    made.add_tokens([AddedToken(mark, special=True) for mark in MARKS], special_tokens=True)
    return made


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("[THINK]A fruit.[/THINK]An apple.</s>", "An apple."),
        ("<seed:think>A fruit.</seed:think>\nAn apple.</s></s>", "An apple."),
        (
            "<|channel|>analysis<|message|>A fruit."
            "<|start|>assistant<|channel|>final<|message|>An apple.</s>",
            "An apple.",
        ),
        ("[THINK]A fruit. Let me see", ""),
        ("An <|start|>apple.<s></s>", "An apple."),
        (" An apple. ", "An apple."),
    ],
)
def test_thoughts_between_special_tokens_are_no_part_of_an_answer(
    tokenizer: PreTrainedTokenizerFast, written: str, answer: str
) -> None:
    ids = tokenizer(written, add_special_tokens=False)["input_ids"]
    assert _text(ids, {tokenizer.eos_token_id}, tokenizer) == answer


def test_a_special_token_that_a_text_spells_out_stays(tokenizer: PreTrainedTokenizerFast) -> None:
    spelt = [one for text in ("<", "s>a</", "s>") for one in tokenizer(text)["input_ids"]]
    assert _text(spelt, {tokenizer.eos_token_id}, tokenizer) == "<s>a</s>"
