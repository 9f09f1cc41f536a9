"""The judge of a run on students' answers, with a fake engine in this process."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.failure import Failure
from actors.generator_client import GeneratorClient
from actors.judging import verdict_on
from cluster.driver import student_judge
from cluster.driver.student_judge import VERDICTS, Judged, StudentJudge
from staragents.agents.verdict import Verdict
from staragents.base.errors import BadInput, RunFailed
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.messages import Message
from staragents.config import Compare, Config
from staragents.evaluation.answer_pair import AnswerPair
from staragents.evaluation.cell import BASE, Cell, CellResult
from staragents.evaluation.held_out import ANSWER, HeldOut
from staragents.evaluation.student_verdicts import verdicts_identity
from staragents.validation.loading import load_config
from tests.support.hub_cache import HubCache
from tests.support.local_run import LocalHandle, local_handles
from tests.support.paths import FAKE

FEW = "4 judged prompts are few: the intervals of wins are too narrow below about 30"
PROMPTS = [f"c{number}" for number in range(4)]
HELD_OUT = tuple(HeldOut(name, (Message("user", f"Name {name}."),), {ANSWER: "x"}) for name in PROMPTS)


def student(arm: str, seed: int, answers: Sequence[str]) -> CellResult:
    said = dict(zip(PROMPTS, answers, strict=True))
    return CellResult(Cell(arm, seed), {}, 1, 1, 1, 1.0, 1.0, answers=said)


RESULTS = [
    student(BASE, 0, ["an oak", "a tin", "the sea", "fog"]),
    student("dataset", 0, ["an oak", "a hut", "a jam", "a pig"]),
    student("dataset", 1, ["an oak", "a hut", "a web", "a fig"]),
]


class Breaking:
    """Answers as the engine does, but `instead` where one of `texts` is in the request."""

    def __init__(self, handle: LocalHandle, texts: Sequence[str], instead: Generation | Failure) -> None:
        self._handle, self._texts, self._instead = handle, texts, instead
        self.requests = 0

    async def remote(self, request: GenerationRequest) -> Generation | Failure:
        self.requests += 1
        said = "".join(turn.content for turn in request.messages or ()) + (request.prompt or "")
        return (
            self._instead if any(one in said for one in self._texts) else await self._handle.remote(request)
        )


@pytest.fixture
def config() -> Config:
    return load_config(FAKE)


Judging = Callable[..., tuple[Judged, int, list[str]]]


@pytest.fixture
def judging(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judging:
    """Judge `RESULTS`; returns what came of it, the number of requests, and what was said."""

    def judge(
        results: Sequence[CellResult] = RESULTS, handle: Callable[[LocalHandle], Breaking] | None = None
    ) -> tuple[Judged, int, list[str]]:
        lines: list[str] = []
        real = asyncio.run(local_handles(config))["judge"]
        used = real if handle is None else handle(real)

        @contextmanager
        def in_this_process(alone: Config, say: Callable[[str], None]) -> Iterator[GeneratorClient]:
            assert list(alone.models) == ["judge"]
            say("loading the judge")
            yield GeneratorClient({"judge": used}, {"judge": 8}, 1)

        monkeypatch.setattr(student_judge, "running_judge", in_this_process)
        judged = StudentJudge(config, tmp_path, tmp_path, lines.append).judged(HELD_OUT, results, 9)
        return judged, used.requests, lines

    return judge


def test_verdicts_of_another_commit_of_the_judge_are_not_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = HubCache(tmp_path / "hub", monkeypatch)
    files = tmp_path / "files"
    files.mkdir()
    (files / "config.json").write_text("{}")
    engine = [
        f"models.judge.{setting}"
        for setting in ("kind=vllm", "model=org/judge", "num_gpus=0", "num_cpus=0.1")
    ]
    old, new = "a" * 40, "b" * 40

    def identity(*overrides: str) -> str:
        config = load_config(FAKE, [*engine, *overrides])
        weights = StudentJudge(config, tmp_path, tmp_path / "out", print)._weights()
        return verdicts_identity([], config, weights)

    hub.commit("org/judge", files, old)
    pinned = f"models.judge.engine_args={{revision: {old}}}"
    before, fixed = identity(), identity(pinned)
    assert identity() == before
    hub.commit("org/judge", files, new)
    assert identity() != before
    assert identity(pinned) == fixed


def test_wins_are_what_a_run_would_say_and_equal_answers_are_asked_once(
    config: Config, judging: Judging, tmp_path: Path
) -> None:
    judged, requests, _ = judging()
    untrained, first, second = judged.results
    assert untrained.wins is None
    assert first.wins is not None
    assert second.wins is not None
    assert list(first.wins) == PROMPTS
    assert first.wins["c0"] == 0.5  # identical, and no request
    assert first.wins["c1"] == second.wins["c1"]
    assert requests == 2 * (3 + 2)
    assert (judged.facts.fake, judged.facts.model, judged.facts.comparisons) == (True, "fake", 8)
    assert judged.warnings == [FEW]

    settings = dataclasses.replace(config.judge, compare=Compare.response_same_instruction)
    pair = AnswerPair("c2", HELD_OUT[2].prompt, "a jam", "the sea")
    client = GeneratorClient(asyncio.run(local_handles(config)), dict.fromkeys(config.models, 8), 1)  # type: ignore[arg-type]
    said = asyncio.run(
        verdict_on(pair.pair_id, pair.candidate, pair.baseline, settings, config, client.generate)
    )
    assert isinstance(said, Verdict)
    assert first.wins["c2"] == said.win
    assert said.win == pytest.approx((said.win_first + (said.win_second or 0.0)) / 2)


def test_damaged_verdicts_are_named_and_asked_for_again(judging: Judging, tmp_path: Path) -> None:
    whole, _, _ = judging()
    file = tmp_path / VERDICTS / "dataset-1.json"
    file.write_text('{"wins": []')
    again, requests, lines = judging()
    assert again == whole
    assert requests
    assert lines[0].startswith(f"{file} can't be read (")
    assert lines[0].endswith("): the judge is asked again")


def test_only_missing_verdicts_are_asked_for(judging: Judging, tmp_path: Path) -> None:
    whole, _, _ = judging()
    again, requests, lines = judging()
    assert (again, requests, lines) == (whole, 0, [])
    (tmp_path / VERDICTS / "dataset-1.json").unlink()  # killed before it was written
    again, requests, lines = judging()
    assert again == whole
    assert requests == 2 * 2  # c1 is known from the other student
    assert lines[0] == "loading the judge"
    changed = [*RESULTS[:2], student("dataset", 1, ["an oak", "a hut", "a web", "a yew"])]
    _, requests, _ = judging(changed)
    assert requests == 2 * 2


def test_unreadable_verdicts_are_counted_kept_and_left_out(
    config: Config, judging: Judging, tmp_path: Path
) -> None:
    mumbled = Generation("Well.", "stop", 1, 1, 0.0)
    judged, requests, _ = judging(handle=lambda real: Breaking(real, ["a hut", "a web"], mumbled))
    assert judged.facts.unreadable == 3
    assert judged.warnings == [
        "comparisons without a readable verdict: 3; the first: no verdict in the judge's answer: Well.",
        FEW,
    ]
    assert requests == 3 * 2 + 2 * 2 * 2  # each unreadable pair is asked twice
    for retries, most in ((1, 4), (2, 6)):
        judge = dataclasses.replace(config.judge, retries=retries)
        asked = StudentJudge(dataclasses.replace(config, judge=judge), tmp_path, tmp_path, print)
        assert asked.most_requests == most
    again, requests, _ = judging()
    assert (again, requests) == (judged, 0)


THOUGHT = "a thought that does not end within evaluation.answer_tokens=9 leaves no answer, so raise it"


def test_prompts_that_the_untrained_student_leaves_unanswered_are_not_judged(judging: Judging) -> None:
    """A thought that was cut off is an empty answer: two of them are no tie."""
    nothing = [""] * 4
    results = [student(BASE, 0, nothing), student("dataset", 0, nothing), *RESULTS[2:]]
    judged, requests, _ = judging(results)
    assert [one.wins for one in judged.results] == [None, {}, {}]
    assert (requests, judged.facts.prompts, judged.facts.comparisons) == (0, 0, 0)
    assert judged.warnings[0].startswith(
        f"the untrained student answered nothing to 4 of 4 prompts, which are not judged: {THOUGHT}"
    )


def test_answers_without_text_are_counted(judging: Judging) -> None:
    results = [student(BASE, 0, ["an oak", "", "the sea", "fog"]), student("dataset", 0, ["", "", "", "fog"])]
    judged, requests, _ = judging(results)
    assert judged.results[1].wins is not None
    assert list(judged.results[1].wins) == ["c0", "c2", "c3"]
    assert requests == 2 * 2
    untrained, trained = judged.warnings[:2]
    assert "answered nothing to 1 of 4 prompts" in untrained
    assert trained.startswith(f"trained students' answers without text: 2 of 3 judged ones; {THOUGHT}")


DOWN = Failure("EngineError", "the server is down", retryable=False)


def test_failed_requests_are_asked_again_by_the_next_command(judging: Judging, tmp_path: Path) -> None:
    judged, _, _ = judging(RESULTS[:2], lambda real: Breaking(real, ["a pig"], DOWN))
    assert (
        "comparisons without a verdict, because a request failed: 1 (judge: the server is down)"
        in (judged.warnings[0])
    )
    saved = json.loads((tmp_path / VERDICTS / "dataset-0.json").read_text())
    assert set(saved["wins"]) == {"c0", "c1", "c2"}
    whole, requests, _ = judging(RESULTS[:2])
    assert requests == 2
    assert whole.warnings == [FEW]


def test_a_request_that_always_fails_stops_neither_its_student_nor_later_ones(judging: Judging) -> None:
    first, _, _ = judging(handle=lambda real: Breaking(real, ["a pig"], DOWN))
    again, requests, _ = judging(handle=lambda real: Breaking(real, ["a pig"], DOWN))
    assert requests == 2
    assert again == first
    for one, known in zip(again.results[1:], (3, 4), strict=True):
        assert one.wins is not None
        assert len(one.wins) == known
    assert "a request failed: 1 (judge: the server is down)" in again.warnings[0]


def test_a_judge_that_answers_nothing_is_one_line_after_every_student(judging: Judging) -> None:
    dead = [" "]
    with pytest.raises(RunFailed, match=r"^--judge: fake answered nothing: judge: the server is down$"):
        judging(handle=lambda real: Breaking(real, dead, DOWN))
    judging(RESULTS[:2])
    more, _, _ = judging(handle=lambda real: Breaking(real, dead, DOWN))  # down since the last call
    assert "a request failed: 2 (judge: the server is down)" in more.warnings[0]


def test_a_dead_judge_is_noticed_after_the_first_students(
    judging: Judging, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Breaking] = []

    def dead(real: LocalHandle) -> Breaking:
        asked.append(Breaking(real, [" "], DOWN))
        return asked[-1]

    for enough in (8, 3):
        monkeypatch.setattr(student_judge, "ENOUGH", enough)
        with pytest.raises(RunFailed, match="answered nothing"):
            judging(handle=dead)
    assert asked[1].requests * 2 == asked[0].requests
    judged, _, _ = judging(
        handle=lambda real: Breaking(real, ["a jam", "a hut"], DOWN)
    )  # answers about a pig
    assert "a request failed" in judged.warnings[0]


def test_a_prompt_that_is_too_long_is_unreadable_and_not_asked_again(judging: Judging) -> None:
    long = Failure("PromptTooLong", "expected a prompt under 99 tokens, got 100", retryable=False)
    judged, requests, _ = judging(handle=lambda real: Breaking(real, ["a pig"], long))
    assert requests == 2 * (3 + 2)
    assert judged.facts.unreadable == 1
    assert judged.warnings[0] == (
        "comparisons without a readable verdict: 1; the first: the comparison is too long for the judge "
        "(judge: expected a prompt under 99 tokens, got 100)"
    )
    again, requests, _ = judging()
    assert (again, requests) == (judged, 0)


def test_a_judge_that_can_not_start_is_named_before_any_work(config: Config, tmp_path: Path) -> None:
    run = tmp_path / "run"
    unknown = dataclasses.replace(config, judge=dataclasses.replace(config.judge, model="jugde"))
    with pytest.raises(BadInput, match=r"^--judge: .*run/config.yaml: judge.model: expected .*judge"):
        StudentJudge(unknown, run, tmp_path, print)
    config.models["judge"].num_gpus = 99.0
    with pytest.raises(BadInput, match="expected 99 GPUs"):
        StudentJudge(config, run, tmp_path, print)
