"""`doctor --judge`, with a fake engine in this process: a judge that can't be asked is no judge that errs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from rich.console import Console

from actors.failure import Failure
from actors.generator_client import GeneratorClient
from cluster.driver import judge_check
from cluster.driver.judge_check import checked_judge
from cluster.terminal.watcher import Watcher
from staragents.analysis.judge_calibration import JudgeCalibration
from staragents.base.errors import RunFailed
from staragents.base.generation import Generation, GenerationRequest
from staragents.config import Config
from staragents.validation.loading import load_config
from tests.support.local_run import local_handles
from tests.support.paths import FAKE

Answer = Callable[[int, Generation | Failure], Generation | Failure]
REJECTED = Failure("RequestRefused", "the server rejects the key", retryable=False)
MUMBLED = Generation("Well.", "stop", 1, 1, 0.0)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], JudgeCalibration]:
    """Check the judge on four seeds. The answer to each request, by its number, is what `answer` makes of the
    engine's."""

    def check(answer: Answer) -> JudgeCalibration:
        config = load_config(FAKE)
        real = asyncio.run(local_handles(config))["judge"]

        class Handle:
            requests = 0

            async def remote(self, request: GenerationRequest) -> Generation | Failure:
                self.requests += 1
                return answer(self.requests, await real.remote(request))

        @contextmanager
        def in_this_process(alone: Config, say: Callable[[str], None]) -> Iterator[GeneratorClient]:
            yield GeneratorClient({"judge": Handle()}, {"judge": 8}, 1)

        monkeypatch.setattr(judge_check, "running_judge", in_this_process)
        return checked_judge(config, 4, Watcher(Console(file=StringIO())))

    return check


def test_a_server_that_rejects_the_key_is_a_failure_and_not_the_judges(
    checked: Callable[[Answer], JudgeCalibration],
) -> None:
    with pytest.raises(
        RunFailed, match=r"^--judge: fake answered nothing: judge: the server rejects the key$"
    ):
        checked(lambda number, answer: REJECTED)


def test_failed_and_unreadable_comparisons_are_counted_apart(
    checked: Callable[[Answer], JudgeCalibration],
) -> None:
    found = checked(lambda number, answer: REJECTED if number == 1 else answer)
    assert sum(result.failed for result in found.harms.values()) == 1
    assert sum(result.unreadable for result in found.harms.values()) == 0
    assert found.failure == "judge: the server rejects the key"
    mute = checked(lambda number, answer: MUMBLED)
    assert [result.unreadable for result in mute.harms.values()] == [4, 4, 4]
    assert (mute.spoiled, mute.failure) == (None, None)
