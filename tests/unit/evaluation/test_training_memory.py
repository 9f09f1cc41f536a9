"""What a student needs, from the headers of its files."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import NotASafetensorsRepoError

from staragents.base.errors import BadInput
from staragents.config import Dtype, EvaluationConfig
from staragents.evaluation import defaults, training_memory
from staragents.evaluation.defaults import completed
from staragents.evaluation.fine_tuning import fine_tune
from staragents.evaluation.training_memory import check_free, check_machine, reserved_bytes, training_bytes
from staragents.models.model_size import ModelSize
from tests.support.hub_cache import HubCache
from tests.support.planted_world import save_student


def sized(monkeypatch: pytest.MonkeyPatch, parameters: int | None) -> None:
    size = None if parameters is None else ModelSize(parameters, 2 * parameters, False, 2, 2, 8)
    for module in (defaults, training_memory):
        monkeypatch.setattr(module, "size_of", lambda model: size)
    monkeypatch.setattr(defaults, "hub_parameters", lambda model, revision: None)


@pytest.mark.parametrize(
    ("parameters", "rank"), [(135_000_000, 0), (1_000_000_000, 0), (1_700_000_000, 16), (None, 16)]
)
def test_adapters_are_for_students_that_are_large_or_not_in_safetensors(
    monkeypatch: pytest.MonkeyPatch, parameters: int | None, rank: int
) -> None:
    sized(monkeypatch, parameters)
    found = completed(EvaluationConfig(), "m")
    assert (found.lora_rank, found.learning_rate) == (rank, 2e-4 if rank else 2e-5)
    given = completed(EvaluationConfig(lora_rank=4, learning_rate=0.5), "m")
    assert (given.lora_rank, given.learning_rate) == (4, 0.5)


def test_a_hub_id_has_the_same_settings_before_and_after_it_is_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = HubCache(tmp_path / "hub", monkeypatch)
    commit = "a" * 40
    with pytest.raises(BadInput, match=r"^evaluation.lora_rank: expected 0 or a rank, as the size of"):
        completed(EvaluationConfig(), "org/tiny", commit)
    assert completed(EvaluationConfig(lora_rank=8), "org/tiny", commit).lora_rank == 8
    asked: list[str | None] = []

    def headers(model: str, revision: str | None) -> SimpleNamespace:
        asked.append(revision)
        return SimpleNamespace(parameter_count={"F32": 1000, "BF16": 500})

    with monkeypatch.context() as online:
        online.setattr(huggingface_hub, "get_safetensors_metadata", headers)
        first = completed(EvaluationConfig(), "org/tiny", commit)
    hub.commit("org/tiny", Path(save_student(tmp_path / "files")), commit)
    assert completed(EvaluationConfig(), "org/tiny", commit) == first
    assert (first.lora_rank, first.learning_rate) == (0, 2e-5)
    assert asked == [commit]


def test_a_repository_without_safetensors_gets_adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(model: str, revision: str | None) -> None:
        raise NotASafetensorsRepoError

    monkeypatch.setattr(huggingface_hub, "get_safetensors_metadata", none)
    monkeypatch.setattr(defaults, "size_of", lambda model: None)
    assert completed(EvaluationConfig(), "org/tiny").lora_rank == 16


def test_bytes_of_all_weights_and_of_adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    sized(monkeypatch, 1_000_000)
    assert training_bytes("m", EvaluationConfig(), on_gpu=True) == 16_000_000
    adapters = EvaluationConfig(lora_rank=8)
    assert training_bytes("m", adapters, on_gpu=True) == 2_000_000 + 800_000
    assert training_bytes("m", adapters, on_gpu=False) == 4_000_000 + 800_000
    assert training_bytes("m", EvaluationConfig(lora_rank=8, dtype=Dtype.float16), on_gpu=False) == 2_800_000


def test_a_student_that_does_not_fit_is_one_line_with_the_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    sized(monkeypatch, 10_000_000_000)
    free = SimpleNamespace(available=100 << 30)
    monkeypatch.setattr(training_memory.psutil, "virtual_memory", lambda: free)
    check_free("m", EvaluationConfig())  # with adapters
    whole = EvaluationConfig(lora_rank=0)
    with pytest.raises(
        BadInput, match=r"m does not fit: training needs 149\.0 GiB .* 100\.0 GiB are free"
    ) as caught:
        check_free("m", whole)
    assert len(caught.value.problems) == 1


def test_a_worker_compares_with_its_machine_whatever_other_students_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sized(monkeypatch, 1_000_000_000)
    memory = SimpleNamespace(available=1 << 30, total=16 << 30)
    monkeypatch.setattr(training_memory.psutil, "virtual_memory", lambda: memory)
    check_machine("m", EvaluationConfig())
    memory.total = 12 << 30
    with pytest.raises(BadInput, match=r"needs 14\.9 GiB of memory for .*, \S+ has 12\.0 GiB; use a smaller"):
        check_machine("m", EvaluationConfig())


def test_students_that_share_a_gpu_have_a_share_of_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sized(monkeypatch, 1_000_000_000)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (15 << 30, 40 << 30))
    check_machine("m", EvaluationConfig(num_gpus=0.5))  # another student uses the rest
    check_machine("m", EvaluationConfig(num_gpus=1))
    with pytest.raises(BadInput, match=r"GPU memory for .*, evaluation\.num_gpus=0\.25 is 10\.0 GiB on"):
        check_machine("m", EvaluationConfig(num_gpus=0.25))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (5 << 30, 40 << 30))
    with pytest.raises(BadInput, match=r"GPU memory for .*, 5\.0 GiB are free on"):
        check_machine("m", EvaluationConfig(num_gpus=1))


def test_reserved_memory_has_room_for_activations(monkeypatch: pytest.MonkeyPatch) -> None:
    sized(monkeypatch, 135_000_000)
    whole = 135_000_000 * 16
    assert reserved_bytes("m", EvaluationConfig()) == whole + 2.5 * 2**30
    assert reserved_bytes("m", EvaluationConfig(max_length=2048)) == whole + 5 * 2**30
    sized(monkeypatch, None)
    assert reserved_bytes("m", EvaluationConfig()) is None


def test_a_gpu_that_torch_cannot_use_is_an_error_and_no_training_on_cpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        BadInput,
        match=rf"^evaluation\.num_gpus: expected a GPU .* on {re.escape(socket.gethostname())}, found",
    ):
        fine_tune("m", (), 0, EvaluationConfig(num_gpus=1), tmp_path)
