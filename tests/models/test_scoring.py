"""IFD of real texts under real small models, compared with naive loops."""

import gzip
import json
import math
from typing import Any

import pytest
import torch

from staragents.base.messages import Message
from staragents.config import Convention, Template
from staragents.scoring.ifd import Score, ScoreRow, Status, ifd_gap
from staragents.scoring.ifd_model import IfdModel
from tests.support.loaded_models import model_of, tokenizer_of
from tests.support.paths import SHARED

ALPACA = SHARED / "dev" / "alpaca_random_9k.json.gz"
OWN = [
    ("Name three primary colours.", "The three primary colours are red, yellow and blue."),
    (
        "Translate into Chinese: Good morning, my friends.",
        "\u65e9\u4e0a\u597d\uff0c\u6211\u7684\u670b\u53cb\u4eec\u3002",
    ),
    (
        "Answer with emoji only: how was your holiday?",
        "\U0001f600\U0001f3d6\ufe0f\U0001f31e \U0001f468\u200d\U0001f469\u200d\U0001f467",
    ),
    ("Write a Python function that doubles a number.", "\ndef double(x):\n    return 2 * x\n"),
    ("Which letter comes after A?", "B"),
    ("Why is the sky blue?\nAnswer in one sentence.", "Air scatters blue light more than red light."),
]


@pytest.fixture(scope="module")
def texts() -> list[tuple[str, str]]:
    """Prompt and answer of our own rows, and of six Alpaca rows if the file is available."""
    if not ALPACA.exists():
        return OWN
    rows = [row for row in json.loads(gzip.decompress(ALPACA.read_bytes()))[:60] if len(row["output"]) < 150]
    alpaca = [("\n".join(filter(None, (row["instruction"], row["input"]))), row["output"]) for row in rows]
    return OWN + [pair for pair in alpaca if pair[1].strip()][:6]


@pytest.fixture(scope="module", params=["smollm2", "gemma3"])
def folder(request: pytest.FixtureRequest) -> str:
    path: str = request.getfixturevalue(request.param)
    return path


@pytest.fixture(scope="module")
def reference(folder: str) -> tuple[Any, Any]:
    return model_of(folder), tokenizer_of(folder)


@pytest.fixture(scope="module")
def ifd_model(folder: str) -> IfdModel:
    # One thread: OpenMP threads that wait for each other on a busy machine are far slower than one.
    return IfdModel(folder, threads=1, min_answer_tokens=1)


@pytest.fixture(scope="module")
def scores(ifd_model: IfdModel, texts: list[tuple[str, str]]) -> list[Score]:
    return ifd_model.score(rows(texts))


def rows(texts: list[tuple[str, str]]) -> list[ScoreRow]:
    return [ScoreRow((Message("user", prompt), Message("assistant", answer))) for prompt, answer in texts]


def naive_nll(model: Any, context: list[int], answer: list[int]) -> float:
    """Mean nats per answer token from one forward pass with all logits."""
    with torch.no_grad():
        logits = model(torch.tensor([context + answer])).logits[0, len(context) - 1 : -1]
    return -torch.log_softmax(logits.float(), -1)[range(len(answer)), answer].mean().item()


def test_exact_convention_equals_two_forwards_a_row(
    scores: list[Score], reference: tuple[Any, Any], texts: list[tuple[str, str]]
) -> None:
    model, tokenizer = reference
    for score, (prompt, answer) in zip(scores, texts, strict=True):
        prompt_ids = tokenizer.encode(f"{prompt}\n", add_special_tokens=False)
        answer_ids = tokenizer.encode(answer, add_special_tokens=False)
        bos = [tokenizer.bos_token_id]
        cond, direct = (naive_nll(model, c, answer_ids) for c in (bos + prompt_ids, bos))
        assert score.status is Status.ok
        assert score.tokens == score.tokens_total == len(answer_ids)
        assert score.answer_bytes == len(answer.encode())
        assert score.nll_cond == pytest.approx(cond, rel=1e-4)
        assert score.nll_direct == pytest.approx(direct, rel=1e-4)
        assert score.ifd == pytest.approx(math.exp(cond - direct), rel=1e-4)


def test_superfiltering_convention_equals_a_transcription_of_it(
    folder: str, reference: tuple[Any, Any], texts: list[tuple[str, str]]
) -> None:
    model, tokenizer = reference
    model_scores = IfdModel(
        folder, threads=1, batch_tokens=512, min_answer_tokens=1, convention=Convention.superfiltering
    ).score(rows(texts))
    compared = 0
    for score, (prompt, answer) in zip(model_scores, texts, strict=True):

        def loss(text: str, limit: int, unlabelled: int) -> float:
            ids = tokenizer(
                text, return_tensors="pt", truncation=True, max_length=limit, add_special_tokens=False
            )
            labels = ids.input_ids.clone()
            labels[0, :unlabelled] = -100
            with torch.no_grad():
                return float(model(ids.input_ids, labels=labels).loss)

        before = len(tokenizer(f"{prompt}\n", add_special_tokens=False).input_ids)
        if len(tokenizer(answer, add_special_tokens=False).input_ids) < 2:
            assert score.status is Status.too_short
            continue
        direct = loss(answer, 1024 - before + 1, 0)
        cond = loss(f"{prompt}\n{answer}", 1024, before)
        assert score.nll_cond == pytest.approx(cond, rel=1e-4)
        assert score.nll_direct == pytest.approx(direct, rel=1e-4)
        assert score.ifd == pytest.approx(math.exp(cond) / math.exp(direct), rel=1e-4)
        compared += 1
    assert compared >= 5


def test_neighbours_in_the_batch_do_not_change_a_score(
    ifd_model: IfdModel, scores: list[Score], texts: list[tuple[str, str]]
) -> None:
    for together, text in zip(scores, texts, strict=True):
        [alone] = ifd_model.score(rows([text]))
        assert alone.nll_cond == pytest.approx(together.nll_cond, rel=1e-5)
        assert alone.nll_direct == pytest.approx(together.nll_direct, rel=1e-5)


def test_an_empty_prompt_gives_exactly_one(ifd_model: IfdModel) -> None:
    for score in ifd_model.score(rows([("", answer) for _, answer in OWN])):
        assert score.ifd == 1.0
        assert score.ifd_bytes == 1.0


def test_truncation_keeps_the_same_tokens_in_both_passes(folder: str, reference: tuple[Any, Any]) -> None:
    model, tokenizer = reference
    prompt, answer = "Tell me a story.", "Once upon a time there was a small town by the sea. " * 3
    [score] = IfdModel(folder, threads=1, max_length=30).score(rows([(prompt, answer)]))
    prompt_ids = tokenizer.encode(f"{prompt}\n", add_special_tokens=False)
    kept = tokenizer.encode(answer, add_special_tokens=False)[: 30 - 1 - len(prompt_ids)]
    bos = [tokenizer.bos_token_id]
    assert score.status is Status.truncated
    assert score.tokens == len(kept)
    assert score.nll_cond == pytest.approx(naive_nll(model, bos + prompt_ids, kept), rel=1e-4)
    assert score.nll_direct == pytest.approx(naive_nll(model, bos, kept), rel=1e-4)
    assert score.answer_bytes == len(tokenizer.decode(kept).encode())


def test_prompts_of_other_rows_help_less_than_their_own(
    ifd_model: IfdModel, scores: list[Score], texts: list[tuple[str, str]]
) -> None:
    shifted = [(texts[i - 1][0], answer) for i, (_, answer) in enumerate(texts)]

    def mean_log_ifd(scores: list[Score]) -> float:
        return sum(math.log(score.ifd) for score in scores if score.ifd is not None) / len(scores)

    assert mean_log_ifd(scores) < mean_log_ifd(ifd_model.score(rows(shifted))) - 0.1


def test_the_prompt_uses_the_chat_template(smollm2: str) -> None:
    model, tokenizer = model_of(smollm2), tokenizer_of(smollm2)
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Name a fruit that is red."},
    ]
    row = ScoreRow((*(Message(**m) for m in messages), Message("assistant", "An apple can be red.")))  # type: ignore[arg-type]
    [score] = IfdModel(smollm2, threads=1, template=Template.chat).score([row])
    context: Any = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    answer = tokenizer.encode("An apple can be red.", add_special_tokens=False)
    # The template begins with BOS, so no second one is added.
    assert context[0] == tokenizer.bos_token_id
    assert score.nll_cond == pytest.approx(naive_nll(model, context, answer), rel=1e-4)


def test_the_gap_of_two_tokenizers_is_taken_in_bytes(
    smollm2: str, gemma3: str, texts: list[tuple[str, str]]
) -> None:
    target, larger = IfdModel(smollm2, threads=1), IfdModel(gemma3, threads=1)
    assert target.tokenizer_id != larger.tokenizer_id
    assert target.parameters < larger.parameters
    [a], [b] = target.score(rows(texts[:1])), larger.score(rows(texts[:1]))
    assert a.ifd_bytes is not None
    assert b.ifd_bytes is not None
    assert ifd_gap(a, b, same_tokenizer=False) == a.ifd_bytes - b.ifd_bytes
