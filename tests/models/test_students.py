"""Real training of a tiny model in a world where it is known which data help."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch

from staragents.base.errors import BadInput
from staragents.config import Dtype, EvaluationConfig
from staragents.evaluation import step_trainer, training_memory
from staragents.evaluation.answering import greedy_answers
from staragents.evaluation.cell import BASE, CellResult
from staragents.evaluation.fine_tuning import fine_tune
from staragents.evaluation.harness import checked_tasks
from staragents.evaluation.harness_tasks import HarnessTasks
from staragents.evaluation.held_out import ANSWER
from staragents.evaluation.judged_prompt import JudgedPrompt
from staragents.evaluation.plan import Plan, plan_of
from staragents.evaluation.student import Student
from staragents.scoring.model_loading import Loading, load
from staragents.text.storable import storable
from tests.support import planted_world
from tests.support.paths import ROOT

LENGTH = 64


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    return planted_world.save_student(tmp_path_factory.mktemp("student"))


def settings(**changes: object) -> EvaluationConfig:
    plain = EvaluationConfig(
        tokens=3000, step_tokens=64, learning_rate=5e-3, max_length=LENGTH, num_cpus=1, training_seeds=2
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def plan(
    path: str,
    folder: Path,
    *arms: str,
    judged: bool = False,
    tasks: HarnessTasks | None = None,
    **changes: object,
) -> Plan:
    config = settings(**changes)
    chosen = [one for name, one in planted_world.arms().items() if name in arms]
    return plan_of(
        chosen,
        planted_world.held_out(),
        Student(path, None, config.max_length),
        config,
        folder,
        judged=judged,
        tasks=tasks,
    )


def result_of(made: Plan, arm: str, seed: int = 0) -> CellResult:
    (job,) = [job for job in made.jobs if (job.cell.arm, job.cell.training_seed) == (arm, seed)]
    return job.run(made.held_out)


def loss(result: CellResult) -> float:
    return mean(one[ANSWER].nats for one in result.losses.values())


def test_bad_data_are_found_worse_and_equal_data_equal(student: str, tmp_path: Path) -> None:
    made = plan(student, tmp_path, "real", "again", "shuffled", "greek", training_seeds=1)
    base, real, again, shuffled, greek = (
        result_of(made, name) for name in (BASE, "real", "again", "shuffled", "greek")
    )
    assert loss(real) < 0.5 < loss(base) - 3
    assert loss(shuffled) > loss(real) + 1
    assert loss(greek) > loss(real) + 3
    assert again.losses == real.losses  # the same cell twice: bit by bit
    assert {one.trained_tokens for one in (real, shuffled, greek)} == {3000}
    assert {one.steps for one in (real, shuffled, greek)} == {47}
    assert base.final_loss is None
    assert real.final_loss is not None
    assert real.final_loss < 0.5


def test_a_student_answers_what_it_learnt_and_is_measured_as_without_answering(
    student: str, tmp_path: Path
) -> None:
    made = plan(student, tmp_path, "real", judged=True, answer_tokens=8)
    right = {one.conversation_id: one.answers[ANSWER] for one in made.held_out}
    base, real = (result_of(made, name) for name in (BASE, "real"))
    assert base.answers is not None
    assert real.answers is not None
    assert list(real.answers) == list(base.answers) == list(right)
    assert sum(real.answers[name] == said for name, said in right.items()) >= 14
    assert not any(base.answers[name] == said for name, said in right.items())
    assert real.losses == result_of(plan(student, tmp_path, "real"), "real").losses


def test_answers_are_greedy_whatever_the_models_own_settings_and_the_padding(student: str) -> None:
    model, tokenizer = load(student, Loading("float32", "cpu"))
    own = model.generation_config
    own.do_sample, own.temperature, own.repetition_penalty, own.max_length = True, 2.0, 9.0, 12
    ids = [tuple(range(5, 5 + length)) for length in (3, 20, 9)]
    prompts = [JudgedPrompt(str(number), one) for number, one in enumerate(ids)]
    found = greedy_answers(model, tokenizer, prompts, 10)
    assert model.generation_config is own
    for number, known in enumerate(ids):
        written = list(known)
        with torch.inference_mode():
            while len(written) < len(known) + 10 and written[-1] != tokenizer.eos_token_id:
                written.append(int(model(torch.tensor([written])).logits[0, -1].argmax()))
        said = tokenizer.decode(written[len(known) :], skip_special_tokens=True)
        assert found[str(number)] == storable(said).strip()


def test_a_task_of_the_harness_scores_a_student_by_what_it_learnt(student: str, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra harness")
    folder = tmp_path / "tasks"
    folder.mkdir()
    things = list(planted_world.THINGS.values())
    rows = [
        {"prompt": asked, "choices": things, "label": things.index(said)}
        for asked, said in planted_world.texts(16, first=1000)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "planted.yaml").write_text(TASK.format(folder / "rows.jsonl"))
    tasks = checked_tasks(["planted"], folder, None)
    made = plan(student, tmp_path / "work", "real", tasks=tasks)
    base, real = (result_of(made, name) for name in (BASE, "real"))
    assert base.scores is not None
    assert real.scores is not None
    assert base.scores["planted"] < 0.5
    assert real.scores["planted"] > 0.85
    assert result_of(made, "real").scores == real.scores


TASK = """\
task: planted
dataset_path: json
dataset_kwargs: {{data_files: {{test: {}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}\\n"
doc_to_choice: choices
doc_to_target: label
target_delimiter: ""
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
"""


def test_training_seeds_differ(student: str, tmp_path: Path) -> None:
    made = plan(student, tmp_path, "real", tokens=300)
    assert result_of(made, "real", 0).losses != result_of(made, "real", 1).losses


def test_adapters_learn_too(student: str, tmp_path: Path) -> None:
    made = plan(student, tmp_path, "real", lora_rank=8, learning_rate=2e-2)
    assert loss(result_of(made, "real")) < loss(result_of(made, BASE)) - 0.3


def test_mixed_precision_ends_with_the_training(student: str, tmp_path: Path) -> None:
    made = plan(student, tmp_path, "real", tokens=300, dtype=Dtype.bfloat16)
    job = made.jobs[1]
    model = fine_tune(job.path, job.steps, 0, job.settings, job.folder).model
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        whole = model(ids).logits
        apart = model.get_output_embeddings()(model.model(ids).last_hidden_state)
    assert whole.dtype == torch.float32
    assert torch.equal(whole, apart)


def test_rows_computed_in_parts_have_the_gradient_of_one_part(
    student: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from staragents.evaluation import fine_tuning

    made = plan(student, tmp_path, "real", tokens=600)
    whole = result_of(made, "real")
    monkeypatch.setattr(fine_tuning, "CPU_PART_TOKENS", 30)
    assert loss(result_of(made, "real")) == pytest.approx(loss(whole), rel=1e-4)


class OutOfMemory:
    """SFTTrainer's training_step. Within the fourth step, and where there are more tokens than `room`, memory
    runs out after the gradient has been computed."""

    def __init__(self, room: int) -> None:
        self.step = step_trainer.SFTTrainer.training_step
        self.room = room
        self.failed: list[int] = []

    def __call__(self, trainer: Any, model: Any, inputs: Any, items: Any) -> torch.Tensor:
        loss: torch.Tensor = self.step(trainer, model, inputs, items)
        size = inputs["input_ids"].numel()
        if trainer.state.global_step >= 3 and size > self.room:
            self.failed.append(size)
            raise torch.OutOfMemoryError("as CUDA says it")
        return loss


def test_a_step_that_runs_out_of_memory_is_repeated_in_smaller_parts(
    student: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = plan(student, tmp_path, "real", tokens=600).jobs[1]

    def trained(folder: str) -> torch.Tensor:
        model = fine_tune(job.path, job.steps, 0, job.settings, tmp_path / folder).model
        return torch.nn.utils.parameters_to_vector(model.parameters())

    expected = trained("whole")
    failing = OutOfMemory(room=40)
    monkeypatch.setattr(step_trainer.SFTTrainer, "training_step", lambda *given: failing(*given))
    torch.testing.assert_close(trained("parts"), expected, rtol=1e-3, atol=1e-4)
    assert 0 < len(failing.failed) < 4
    failing.room = 0
    with pytest.raises(torch.OutOfMemoryError):
        trained("none")


KILLED = """
import os, signal, sys
from pathlib import Path
from staragents.evaluation import step_trainer
from tests.models import test_students as here
step_trainer.SAVE_EVERY_S = 0.0
saved = step_trainer._SaveByTime.on_save
def on_save(self, args, state, control, **rest):
    saved(self, args, state, control, **rest)
    if state.global_step == 9:
        os.kill(os.getpid(), signal.SIGKILL)
step_trainer._SaveByTime.on_save = on_save
here.result_of(here.plan(sys.argv[1], Path(sys.argv[2]), "real", tokens=1000), "real")
"""


@pytest.fixture(scope="module")
def killed(student: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cell that was killed after its ninth step."""
    folder = tmp_path_factory.mktemp("killed")
    ended = subprocess.run([sys.executable, "-c", KILLED, student, str(folder)], cwd=ROOT)
    assert ended.returncode == -signal.SIGKILL
    (mark,) = folder.glob("*/*/*/complete")
    assert mark.parent.name == "checkpoint-9"
    return folder


@pytest.fixture(scope="module")
def whole(student: str, tmp_path_factory: pytest.TempPathFactory) -> CellResult:
    return result_of(plan(student, tmp_path_factory.mktemp("whole"), "real", tokens=1000), "real")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that are trained from now on."""
    trained = []
    step = step_trainer.StepTrainer.training_step

    def counted(self: step_trainer.StepTrainer, *arguments: object) -> object:
        trained.append(self.state.global_step)
        return step(self, *arguments)

    monkeypatch.setattr(step_trainer.StepTrainer, "training_step", counted)
    return trained


def test_a_killed_cell_continues_from_its_checkpoint_with_the_same_result(
    student: str, tmp_path: Path, killed: Path, whole: CellResult, steps: list[int]
) -> None:
    folder = tmp_path / "killed"
    shutil.copytree(killed, folder)
    resumed = result_of(plan(student, folder, "real", tokens=1000), "real")
    assert steps[0] == 9
    assert resumed.losses == whole.losses
    assert resumed.final_loss == whole.final_loss


@pytest.mark.parametrize("torn", ["model.safetensors", "optimizer.pt", "trainer_state.json"])
def test_a_checkpoint_that_cannot_be_loaded_is_dropped(
    student: str, tmp_path: Path, killed: Path, whole: CellResult, steps: list[int], torn: str
) -> None:
    folder = tmp_path / "killed"
    shutil.copytree(killed, folder)
    (file,) = folder.glob(f"*/*/*/{torn}")
    file.write_bytes(file.read_bytes()[:100])
    resumed = result_of(plan(student, folder, "real", tokens=1000), "real")
    assert steps[0] == 0
    assert resumed.losses == whole.losses


def test_a_job_with_another_learning_rate_does_not_continue_the_checkpoint(
    student: str, tmp_path: Path, killed: Path, steps: list[int]
) -> None:
    folder = tmp_path / "killed"
    shutil.copytree(killed, folder)
    result_of(plan(student, folder, "real", tokens=1000, learning_rate=1e-3), "real")
    assert steps[0] == 0
    assert not list(folder.glob("*/*/checkpoint-*"))


def test_a_student_whose_loss_is_not_finite_has_diverged(student: str, tmp_path: Path) -> None:
    found = result_of(plan(student, tmp_path, "real", learning_rate=1e30), "real", 1)
    assert not found.losses
    assert found.diverged is not None
    assert re.search("the loss of .* is (nan|inf|not finite)", found.diverged)


def test_a_student_that_does_not_fit(student: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_memory.psutil, "virtual_memory", lambda: type("M", (), {"total": 9}))
    made = plan(student, tmp_path, "real")
    with pytest.raises(BadInput, match=r"does not fit: training needs .* of memory"):
        result_of(made, "real")


def test_prompts_without_room_for_an_answer(student: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^evaluation.max_length: expected prompts with at most 1 tokens"):
        plan(student, tmp_path, "real", max_length=3)


def test_only_the_answer_and_its_end_are_trained(student: str) -> None:
    tokens = Student(student, None, LENGTH)
    row = planted_world.arms()["real"].rows[0].messages
    span = tokens.tokens(row)
    assert span is not None
    assert tokens._tokenizer.decode(span.ids[1 : span.start]) == f"{row[0].content}\n"
    assert tokens._tokenizer.decode(span.ids[span.start :]) == f"{row[1].content}</s>"
    cut = Student(student, None, span.start + 2).tokens(row)
    assert cut is not None
    assert cut.ids == span.ids[: span.start + 2]
