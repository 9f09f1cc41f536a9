"""`staragents score` against transcriptions of the published rules, on rows with and without input."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from staragents.config import Convention, Template
from staragents.score_file.score_job import ScoreJob
from staragents.score_file.settings import ScoreSettings
from tests.support.loaded_models import model_of, tokenizer_of
from tests.support.paths import SHARED
from tests.support.score_jobs import Silent

ALPACA = SHARED / "dev" / "alpaca_random_9k.json.gz"
COUNT = 6
OWN = [
    {
        "instruction": "Translate the sentence into German.",
        "input": "The train leaves at nine.",
        "output": "Der Zug fährt um neun Uhr ab.",
    },
    {
        "instruction": "Sort the numbers.\n",
        "input": "\n7, 3, 9\n\n1\n",
        "output": "Sorted, the numbers are 1, 3, 7 and 9.",
    },
    {
        "instruction": "Which word is missing?",
        "input": " ",
        "output": "I can't tell, as there is no sentence to look at.",
    },
    {
        "instruction": "Name three primary colours.",
        "input": "",
        "output": "Red, yellow and blue are primary colours.",
    },
]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """Our own rows, and Alpaca rows with and without input if the file is available."""
    if not ALPACA.exists():
        return OWN
    all_rows = [
        row for row in json.loads(gzip.decompress(ALPACA.read_bytes())) if 40 < len(row["output"]) < 150
    ]
    with_input = [row for row in all_rows if row["input"]][:COUNT]
    return OWN + with_input + [row for row in all_rows if not row["input"]][:2]


@pytest.fixture(scope="module")
def reference(smollm2: str) -> tuple[Any, Any]:
    return model_of(smollm2), tokenizer_of(smollm2)


def scored(rows: list[dict[str, str]], folder: Path, **options: Any) -> list[dict[str, Any]]:
    data, output = folder / "data.json", folder / "scores.parquet"
    data.write_text(json.dumps(rows))
    settings = ScoreSettings(
        str(data), "packaged:smollm2-135m-instruct", output, min_tokens=1, cpus=1.0, device="cpu", **options
    )
    ScoreJob(settings, Silent()).run()
    return pq.read_table(output).to_pylist()


def loss(model: Any, ids: list[int], unlabelled: int) -> float:
    """Mean nats of ids[unlabelled:]. The first token has none, as it can't be predicted."""
    start = max(1, unlabelled)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, start - 1 : -1]
    # transformers' own loss adds up 49,152 probabilities in float32, which costs 2e-5.
    return -torch.log_softmax(logits.double(), -1)[range(len(ids) - start), ids[start:]].mean().item()


def test_superfiltering_equals_its_own_rule(
    rows: list[dict[str, str]], reference: tuple[Any, Any], smollm2: str, tmp_path: Path
) -> None:
    model, tokenizer = reference

    def tokens(text: str, most: int) -> list[int]:
        ids: list[int] = tokenizer(text, truncation=True, max_length=most).input_ids
        return ids

    for row, found in zip(rows, scored(rows, tmp_path, convention=Convention.superfiltering), strict=True):
        prompt = f"{row['instruction']}\n" + (f"{row['input']}\n" if row["input"] != "" else "")
        before = len(tokens(prompt, 1024))
        alone = loss(model, tokens(row["output"], 1024 - before + 1), 0)
        given = loss(model, tokens(prompt + row["output"], 1024), before)
        assert found["target_nll_direct"] == pytest.approx(alone, rel=1e-5)
        assert found["target_nll_cond"] == pytest.approx(given, rel=1e-5)
        assert found["target_ifd"] == pytest.approx(math.exp(given - alone), rel=1e-5)


@pytest.mark.parametrize("template", [Template.plain, Template.alpaca])
def test_the_exact_convention_scores_the_published_prompts(
    rows: list[dict[str, str]],
    reference: tuple[Any, Any],
    smollm2: str,
    tmp_path: Path,
    template: Template,
) -> None:
    model, tokenizer = reference
    task = "Below is an instruction that describes a task"
    respond = "Write a response that appropriately completes the request."
    for row, found in zip(rows, scored(rows, tmp_path, template=template), strict=True):
        instruction, given = row["instruction"], row["input"]
        if template is Template.plain:
            prompt = f"{instruction}\n{given}\n" if given else f"{instruction}\n"
        elif given:
            prompt = (
                f"{task}, paired with an input that provides further context. {respond}\n\n"
                f"### Instruction:\n{instruction}\n\n### Input:\n{given}\n\n### Response:"
            )
        else:
            prompt = f"{task}. {respond}\n\n### Instruction:\n{instruction}\n\n### Response:"
        context = [tokenizer.bos_token_id, *tokenizer(prompt, add_special_tokens=False).input_ids]
        answer = tokenizer(row["output"], add_special_tokens=False).input_ids
        cond = loss(model, context + answer, len(context))
        direct = loss(model, context[:1] + answer, 1)
        assert found["target_ifd"] == pytest.approx(math.exp(cond - direct), rel=1e-5)
