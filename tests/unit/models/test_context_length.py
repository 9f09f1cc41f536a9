"""The longest context that a model's own config allows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from staragents.base.errors import BadInput
from staragents.models.context_length import longest_context
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"max_position_embeddings": 8192}, (8192, "max_position_embeddings")),
        ({"n_positions": 1024, "seq_length": 512}, (512, "seq_length")),
        ({"max_position_embeddings": 8192, "model_max_length": 131072}, (131072, "model_max_length")),
        (
            {"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 2.0}},
            (8192, "max_position_embeddings"),
        ),
        ({"max_position_embeddings": 8192, "rope_scaling": YARN}, (8192, "max_position_embeddings")),
        ({"max_position_embeddings": 8192, "rope_scaling": None}, (8192, "max_position_embeddings")),
        (
            {"max_position_embeddings": 4096, "sliding_window": 512},
            (4096, "max_position_embeddings"),
        ),
        (
            {
                "model_type": "gemma3_text",
                "max_position_embeddings": 32768,
                "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0}},
            },
            (32768, "max_position_embeddings"),
        ),
        ({"text_config": {"max_position_embeddings": 2048}}, (2048, "max_position_embeddings")),
        ({"llm_config": {"max_position_embeddings": 2048}}, (2048, "max_position_embeddings")),
        ({"thinker_config": {"text_config": {"n_positions": 2048}}}, (2048, "n_positions")),
        ({"hidden_size": 8}, None),
        ([], None),
    ],
)
def test_the_config_on_disk_says_the_longest_context(tmp_path: Path, config: Any, expected: Any) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert longest_context(str(tmp_path)) == expected


def test_a_model_that_is_not_on_disk_has_no_known_limit(tmp_path: Path) -> None:
    assert longest_context(str(tmp_path)) is None
    assert longest_context("nobody/has-this-model") is None


def test_a_longer_max_model_len_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 2048}))
    settings = ["models.writer.kind=vllm", f"models.writer.model={tmp_path}", "models.writer.num_cpus=1"]
    with pytest.raises(BadInput) as caught:
        load_config(FAKE, [*settings, "models.writer.max_model_len=4096"])
    assert caught.value.problems == [
        "models.writer.max_model_len: expected at most 2048, the max_position_embeddings in the config.json "
        f"of {tmp_path}, got 4096"
    ]
    load_config(FAKE, [*settings, "models.writer.max_model_len=2048"])
    monkeypatch.setenv("VLLM_ALLOW_LONG_MAX_MODEL_LEN", "1")
    load_config(FAKE, [*settings, "models.writer.max_model_len=4096"])
