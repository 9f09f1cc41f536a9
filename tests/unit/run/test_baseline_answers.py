"""The base pair's answer to a candidate's instruction: only a usable one is compared with the candidate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from staragents.base.generation import GenerationRequest
from staragents.base.records import Candidate, Stage
from staragents.data.seed_file import SeedFile
from staragents.evolution.policy import NO_CONTEXT, Draw
from staragents.validation.loading import load_config
from tests.support.local_run import LocalHandle, local_handles, local_worker
from tests.support.paths import FAKE

BAD: dict[str, dict[str, Any]] = {
    "the server's content filter stopped it": {"text": "", "finish_reason": "content_filter"},
    "it is empty": {"text": " \n"},
    "it was truncated at max_tokens": {"text": "Falu red is a deep red that com", "finish_reason": "length"},
    "it is a refusal": {"text": "I'm sorry, but I can't help with that."},
    "the model was still thinking at its token limit and had answered nothing": {
        "text": "", "finish_reason": "length", "reasoning": "Which colours are rare?",
    },
}  # fmt: skip
"""What becomes of the answer, by what is said of it."""


class Writer:
    """A fake model whose answers for the comparison are changed."""

    def __init__(self, pool: LocalHandle, changes: dict[str, Any]) -> None:
        self._pool, self._changes = pool, changes
        self.baselines = 0

    async def remote(self, request: GenerationRequest) -> Any:
        answer = await self._pool.remote(request)
        if "-baseline" not in request.request_id:
            return answer
        self.baselines += 1
        return replace(answer, **self._changes)  # type: ignore[type-var]


async def compared(tmp_path: Path, changes: dict[str, Any]) -> tuple[list[Candidate], int, int]:
    """The candidates of a seed with another instruction, the answers for the comparison, and the judge's."""
    settings = load_config(
        FAKE,
        ["memory.enabled=false", "judge.compare=response_same_instruction", f"output.dir={tmp_path / 'run'}"],
    )
    pools = await local_handles(settings)
    writer, judge = Writer(pools["writer"], changes), pools["judge"]
    worker = local_worker(settings, {**pools, "writer": writer})
    seed = next(SeedFile(settings.seeds).seeds(start=0))
    draws = [Draw(pair, 1.0) for pair in settings.pairs if not pair.startswith("keep")]
    found = await worker.run(seed, draws, NO_CONTEXT)
    return [c for c in found if not c.rejected], writer.baselines, judge.requests


@pytest.mark.parametrize("said", BAD)
async def test_an_answer_that_is_unusable_is_no_opponent(tmp_path: Path, said: str) -> None:
    candidates, baselines, judged = await compared(tmp_path, BAD[said])
    assert baselines == len(candidates) > 0
    assert judged == 0
    for candidate in candidates:
        assert (candidate.failed_stage, candidate.failed_agent) == (Stage.baseline, "direct")
        assert candidate.error_message == f"no answer to compare with: {said}"
        assert candidate.judge_win is None


async def test_a_usable_answer_is_compared(tmp_path: Path) -> None:
    candidates, baselines, judged = await compared(tmp_path, {})
    assert baselines == len(candidates) > 0
    assert judged >= 2 * len(candidates)
    assert not any(candidate.failed for candidate in candidates)
