"""Everything that a worker needs to train and measure one student."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from staragents.base.digest import digest_of
from staragents.base.errors import BadInput
from staragents.config import EvaluationConfig, Template
from staragents.evaluation.cell import Cell, CellResult
from staragents.evaluation.checkpoints import checkpoint_folder
from staragents.evaluation.harness_tasks import HarnessTasks
from staragents.evaluation.held_out import HeldOut
from staragents.evaluation.judged_prompt import JudgedPrompt
from staragents.scoring.conventions import Span

if TYPE_CHECKING:
    from staragents.evaluation.fine_tuning import Trained

DECISIVE = ("max_length", "learning_rate", "warmup", "lora_rank", "dtype", "num_gpus")
"""Settings that change a student, beside its steps. The number of CPUs changes only the order of sums."""
ANSWERS, TASK = "answers", "task:"
"""Names of the parts of a result beside the losses; the latter begins that of a task's score."""


@dataclass(frozen=True, slots=True)
class CellJob:
    """`path`: the student, a folder or hub id; `identity`: what it is (`model_identity`); `revision`: the
    commit of a hub id. `folder`: for checkpoints of this cell, whatever its job. Without steps, the student
    is only measured. `asked`: the prompts that it answers for the judge. `tasks`: those that it is scored
    on."""

    cell: Cell
    path: str
    identity: str
    template: Template
    steps: tuple[tuple[Span, ...], ...]
    rows: int
    settings: EvaluationConfig
    folder: Path
    asked: tuple[JudgedPrompt, ...] = ()
    tasks: HarnessTasks | None = None
    revision: str | None = None

    @property
    def tokens(self) -> int:
        """Trained answer tokens."""
        return sum(span.tokens for step in self.steps for span in step)

    def fingerprint(self, held_out: Sequence[HeldOut]) -> str:
        """Checksum of everything that determines the trained student and its losses; without held-out
        conversations, its weights alone."""
        settings = asdict(self.settings)
        facts = [
            asdict(self.cell),
            self.identity,
            self.template,
            self.steps and [[[span.ids, span.start] for span in step] for step in self.steps],
            {name: settings[name] for name in DECISIVE},
            [[one.conversation_id, sorted(one.answers)] for one in held_out],
        ]
        return digest_of(facts)

    def parts(self) -> dict[str, str]:
        """What else is measured, with the checksum of what determines it beside the student."""
        found = {} if self.tasks is None else {TASK + n: one for n, one in self.tasks.fingerprints.items()}
        if self.asked:
            facts = [[[one.conversation_id, one.ids] for one in self.asked], self.settings.answer_tokens]
            found[ANSWERS] = digest_of(facts)
        return found

    def run(self, held_out: Sequence[HeldOut]) -> CellResult:
        """Train and measure; a student with a loss that is not finite has diverged. Raises BadInput if that
        happens without training, and as `fine_tune` and `task_scores` do; before it trains, if this machine
        lacks the tasks."""
        begun = time.monotonic()
        if self.tasks is not None:
            self.tasks.check_here()
        try:
            with checkpoint_folder(self.folder, self.fingerprint(())[:16]) as folder:
                result = self._result(held_out, folder)
        except FloatingPointError as error:
            if not self.steps:
                problem = f"expected finite losses of {self.path} before training: {error}"
                raise BadInput(f"evaluation.student: {problem}") from error
            result = self._made(diverged=str(error))
        finally:
            _free_memory()
        return replace(result, seconds=time.monotonic() - begun)

    def _result(self, held_out: Sequence[HeldOut], folder: Path) -> CellResult:
        from staragents.evaluation.fine_tuning import fine_tune
        from staragents.evaluation.measuring import held_out_losses

        trained = fine_tune(
            self.path, self.steps, self.cell.training_seed, self.settings, folder, self.revision
        )
        # Before the losses: to measure them may replace the model's attention.
        answers, scores = self._answers(trained), self._scores(trained)
        losses = held_out_losses(
            trained.model, trained.tokenizer, self.path, self.template, held_out, self.settings
        )
        return self._made(losses=losses, final_loss=trained.final_loss, answers=answers, scores=scores)

    def _made(self, **measured: Any) -> CellResult:
        """A result with what is known beforehand."""
        known = CellResult(self.cell, {}, self.tokens, self.rows, len(self.steps), None, 0.0)
        return replace(known, **measured)

    def _answers(self, trained: Trained) -> dict[str, str] | None:
        if not self.asked:
            return None
        from staragents.evaluation.answering import greedy_answers

        return greedy_answers(trained.model, trained.tokenizer, self.asked, self.settings.answer_tokens)

    def _scores(self, trained: Trained) -> dict[str, float] | None:
        if self.tasks is None:
            return None
        from staragents.evaluation.harness import task_scores

        return task_scores(trained.model, trained.tokenizer, self.tasks, self.template is Template.chat)


def _free_memory() -> None:
    """A trainer and its model refer to each other, and the next cell may start in the same process."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
