"""Which failures to load a model may pass."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import httpx2
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from staragents.base.errors import BadInput, StarAgentsError, TemporaryFailure
from staragents.scoring import model_loading
from staragents.scoring.model_loading import Loading, load
from tests.support.hub_cache import HubCache
from tests.support.tiny_models import save_tokenizer


class HubError(OSError):
    """As huggingface_hub's, with the hub's answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the hub said {status}")
        self.response = SimpleNamespace(status_code=status)


@pytest.mark.parametrize(
    ("device", "device_map", "expected"),
    [("cpu", "auto", {"": "cpu"}), ("cuda", "auto", "auto"), ("cuda", None, None)],
)
def test_a_map_of_devices_is_only_for_gpus(
    monkeypatch: pytest.MonkeyPatch, device: str, device_map: str | None, expected: object
) -> None:
    """accelerate would place a model for the CPU on all GPUs that it sees."""
    given: dict[str, object] = {}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(model_loading, "load_tokenizer", lambda *_: None)
    monkeypatch.setattr(
        model_loading.AutoModelForCausalLM,
        "from_pretrained",
        lambda _, **options: given.update(options) or MagicMock(),
    )
    load("m", Loading("float32", device, device_map))
    assert given.get("device_map") == expected


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (httpx2.ReadTimeout("slow"), TemporaryFailure),
        (TimeoutError(), TemporaryFailure),
        (HubError(429), TemporaryFailure),
        (HubError(503), TemporaryFailure),
        (HubError(404), BadInput),
        (ValueError("odd"), BadInput),
    ],
)
def test_only_a_hub_that_is_slow_or_busy_is_no_bad_input(
    monkeypatch: pytest.MonkeyPatch, cause: Exception, expected: type[StarAgentsError]
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError("we couldn't load the files") from cause

    monkeypatch.setattr(model_loading, "load_tokenizer", failing)
    with pytest.raises(expected, match=r"^can't load the model m: we couldn't") as caught:
        load("m", Loading("float32", "cpu"))
    # It crosses processes.
    assert type(pickle.loads(pickle.dumps(caught.value))) is expected


def test_a_commit_of_a_hub_id_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = HubCache(tmp_path / "hub", monkeypatch)
    for number, commit in enumerate(("a" * 40, "b" * 40), start=1):
        sizes = {"hidden_size": 8, "intermediate_size": 8 * number, "num_attention_heads": 2}
        config = LlamaConfig(**sizes, num_hidden_layers=1, vocab_size=258)
        LlamaForCausalLM(config).save_pretrained(tmp_path / commit)
        save_tokenizer(tmp_path / commit)
        hub.commit("org/tiny", tmp_path / commit, commit)
    for revision, size in ((None, 16), ("a" * 40, 8), ("b" * 40, 16)):
        model, _ = load("org/tiny", Loading("float32", "cpu", revision=revision))
        assert model.config.intermediate_size == size
