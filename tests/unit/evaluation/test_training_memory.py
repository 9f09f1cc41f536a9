"""What a student needs, from the headers of its files."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from staragents.base.errors import BadInput
from staragents.config import Dtype, EvaluationConfig
from staragents.evaluation import defaults, training_memory
from staragents.evaluation.defaults import completed
from staragents.evaluation.training_memory import check_memory, training_bytes
from staragents.models.model_size import ModelSize


def sized(monkeypatch: pytest.MonkeyPatch, parameters: int | None) -> None:
    size = None if parameters is None else ModelSize(parameters, 2 * parameters, False, 2, 2, 8)
    for module in (defaults, training_memory):
        monkeypatch.setattr(module, "size_of", lambda model: size)


@pytest.mark.parametrize(
    ("parameters", "rank"), [(135_000_000, 0), (1_000_000_000, 0), (1_700_000_000, 16), (None, 16)]
)
def test_adapters_are_for_students_that_are_large_or_of_unknown_size(
    monkeypatch: pytest.MonkeyPatch, parameters: int | None, rank: int
) -> None:
    sized(monkeypatch, parameters)
    found = completed(EvaluationConfig(), "m")
    assert (found.lora_rank, found.learning_rate) == (rank, 2e-4 if rank else 2e-5)
    given = completed(EvaluationConfig(lora_rank=4, learning_rate=0.5), "m")
    assert (given.lora_rank, given.learning_rate) == (4, 0.5)


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
    check_memory("m", EvaluationConfig(), on_gpu=False)  # with adapters
    whole = EvaluationConfig(lora_rank=0)
    with pytest.raises(
        BadInput, match=r"m does not fit: training needs 149\.0 GiB .* 100\.0 GiB are free"
    ) as caught:
        check_memory("m", whole, on_gpu=False)
    assert len(caught.value.problems) == 1
