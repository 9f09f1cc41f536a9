"""The file of one student: its result, and what decided each part of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from staragents.evaluation.cell import CellResult
from staragents.evaluation.cell_job import ANSWERS, TASK, CellJob


@dataclass(frozen=True, slots=True)
class SavedCell:
    """`identity`: checksum of everything that determines the student and its losses. `parts`: that of its
    answers and of each task's score, by the names of `CellJob.parts`."""

    identity: str
    result: CellResult
    parts: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        content = {"identity": self.identity, "parts": dict(self.parts), "result": self.result.as_dict()}
        return json.dumps(content) + "\n"

    @classmethod
    def from_json(cls, text: str) -> SavedCell:
        """Raises ValueError if it was not made by `to_json`. Files of earlier versions have no parts."""
        try:
            saved = json.loads(text)
            return cls(saved["identity"], CellResult.from_dict(saved["result"]), dict(saved.get("parts", {})))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def missing(self, job: CellJob) -> CellJob | None:
        """The part of the job that is not done: its weights are not kept, so the student is trained again for
        it. None if all is done, or nothing can be measured."""
        if self.result.diverged:
            return None
        known = self._known(job)
        tasks = job.tasks and job.tasks.only(name for name in job.tasks.names if TASK + name not in known)
        asked = () if ANSWERS in known else job.asked
        return replace(job, asked=asked, tasks=tasks) if asked or tasks else None

    def result_of(self, job: CellJob) -> CellResult:
        """The result with what the job asks for, as far as it is there, and nothing else."""
        known, scores = self._known(job), self.result.scores or {}
        kept = {name: score for name, score in scores.items() if TASK + name in known}
        return replace(
            self.result, answers=self.result.answers if ANSWERS in known else None, scores=kept or None
        )

    def with_more(self, job: CellJob, result: CellResult) -> SavedCell:
        """This file after the same student was trained again for a part of `job` that was missing: what it
        already had stays. A student that diverged this time, as it may on other hardware, adds nothing."""
        if result.diverged:
            return self
        more = result.answers is not None
        scores = {**(self.result.scores or {}), **(result.scores or {})}
        merged = replace(
            result, answers=result.answers if more else self.result.answers, scores=scores or None
        )
        return SavedCell(self.identity, merged, {**self.parts, **job.parts()})

    def _known(self, job: CellJob) -> set[str]:
        return {name for name, digest in job.parts().items() if self.parts.get(name) == digest}
