"""What the tables of the training experiments say of students, whose losses are planted here."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from staragents.base.errors import BadInput
from staragents.base.estimate import Estimate
from staragents.base.records import stable_seed
from staragents.evaluation.cell import BASE, Cell, CellResult, Loss

EVIDENCE = Path(__file__).parents[3] / "benchmarks" / "evidence"
FACTS = EVIDENCE / "results" / "reward-135-facts.json"
PROMPTS = 40
PAIRS = [f"agent-{number}" for number in range(11)]
TESTED = ("dataset", "win", "ifd", "random-ifd-length", "dataset:uniform")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    return _module("reward_table", monkeypatch)


def _module(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    # The scripts of the folder import each other as the command does.
    monkeypatch.syspath_prepend(str(EVIDENCE))
    return importlib.import_module(name)


def facts(dearer: float = 1.0, prompts: int = 2, reached: int | None = None) -> list[dict[str, Any]]:
    """Five replicates in which pair i has the mean reward i. `reached`: the prompts that the uniform run drew
    for, all of them if None."""
    cost = {"seeds": prompts, "candidates": 1, "target_tokens": 1, "larger_tokens": 1, "words_judged": 0}
    reached = prompts if reached is None else reached
    return [
        {
            "costs": {
                "full": cost | {"words_written": 100 * dearer},
                "uniform": cost | {"words_written": 100, "seeds": reached},
            },
            "earned": {},
            "pairs": {
                pair: {"candidates": 9, "reward": float(rank), "ifd_gap": None, "judge_win": float(-rank)}
                for rank, pair in enumerate(PAIRS)
            },
            "arms": {
                arm: {"rows": 2, "replaced": replicate / 10, "commonest": 0.5, "words": 9.0}
                for arm in (*TESTED, "random-length", "random-win-length", "seeds")
            },
            "choices": {"prompts": list(range(prompts)), "texts": "", "arms": {}},
        }
        for replicate in range(5)
    ]


def student(arm: str, replicate: int, loss: float, rows: int = 2) -> CellResult:
    """With losses around `loss`. Deviations of prompts are the same for all arms; a student adds its own."""
    of_prompts = np.random.default_rng(7).normal(0, 0.5, PROMPTS)
    own = np.random.default_rng(stable_seed(arm, str(replicate))).normal(0, 0.002, PROMPTS)
    losses = {
        str(number): {"writer": Loss(float(loss + one), 100, 400)}
        for number, one in enumerate(of_prompts + own)
    }
    return CellResult(Cell(arm, replicate), losses, 600, rows, 3, 1.0, 60.0)


def students(means: dict[str, float], replicates: Iterable[int] = range(5)) -> list[CellResult]:
    return [student(arm, replicate, mean) for replicate in replicates for arm, mean in means.items()]


def answers(shown: str) -> list[list[str]]:
    """The cells of the four questions' rows."""
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in shown.splitlines()]
    return [row for row in rows if row[0][:2] in ("1.", "2.", "3.", "4.")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.02, -0.001, "supported"),
        (-0.003, -0.001, "supported, but less than what matters"),
        (-0.003, 0.002, "refuted"),
        (0.001, 0.02, "refuted"),
        (-0.02, 0.002, "not settled"),
    ],
)
def test_an_answer_is_settled_only_by_an_interval_that_excludes_the_other_one(
    low: float, high: float, expected: str, table: Any
) -> None:
    estimate = Estimate((low + high) / 2, low, high)
    assert table.verdict(estimate, table.MATTERS, 5, 5) == expected
    assert table.verdict(estimate, table.MATTERS, 4, 5) == "not tested: 4 of 5 replicates"
    assert table.verdict(None, table.MATTERS, 0, 5) == "not measured"


MEANS = {"dataset": 1.60, "win": 1.65, "ifd": 1.70, "random-ifd-length": 1.60, "dataset:uniform": 1.70}


def test_planted_differences_are_found_with_their_signs(
    table: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    table.show([student(BASE, 0, 2.0, 0), *students(MEANS)], facts())
    first, second, third, fourth = answers(capsys.readouterr().out)
    assert [row[-1] for row in (first, second, third, fourth)] == [
        "supported", "refuted", "supported", "not measured",
    ]  # fmt: skip
    assert first[1:3] == ["dataset - win", "5"]
    assert float(first[3].split()[0]) == pytest.approx(-0.05, abs=0.002)
    assert float(second[3].split()[0]) == pytest.approx(0.10, abs=0.002)


def test_no_question_is_answered_before_all_replicates_are_there(
    table: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [one for one in students(MEANS) if one.cell != Cell("win", 3)]
    # An arm that few replicates have takes no replicate from the others.
    table.show([*made, *students({"seeds": 1.9}, [0, 1])], facts())
    shown = capsys.readouterr().out
    first, second, third, _ = answers(shown)
    assert first[2] == "4"
    assert first[-1] == "not tested: 4 of 5 replicates"
    assert (second[2], second[-1]) == ("5", "refuted")
    assert third[-1] == "supported"
    # Shares are those of the replicates that were trained.
    assert next(line for line in shown.splitlines() if line.startswith("| seeds |")).split(" | ")[3] == "5%"


def test_facts_of_fewer_replicates_than_planned_answer_nothing(
    table: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    table.show(students(MEANS, [0]), facts()[:1])
    shown = capsys.readouterr().out
    assert [row[-1] for row in answers(shown)[:3]] == ["not tested: 1 of 5 replicates"] * 3
    # One replicate does not tell how far replicates differ, so there is no interval.
    assert not any("(" in row[3] for row in answers(shown))
    assert " to " not in shown.partition("per byte")[2].partition("Question")[0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"trained_tokens": 200}, "expected equal response tokens, got 200 and 600"),
        ({"steps": 1}, "expected equal steps, got 1 and 3"),
        ({"losses": {"0": {"writer": Loss(1.0, 9, 9)}}}, f"expected equal prompts, got 1 and {PROMPTS}"),
        ({"cell": Cell("dataset", 0)}, "got dataset, replicate 0 2 times"),
    ],
)
def test_students_that_can_not_be_compared_are_refused(
    changes: dict[str, Any], expected: str, table: Any
) -> None:
    with pytest.raises(BadInput, match=expected):
        table.show([*students(MEANS), replace(student("seeds", 0, 1.9), **changes)], facts())


def test_a_policy_that_costs_more_than_uniform_draws_is_not_supported(
    table: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    table.show(students(MEANS), facts(dearer=1.2))
    assert answers(capsys.readouterr().out)[2][-1] == "not settled: its run cost 1.20 times as much"


def test_the_reward_of_pairs_is_compared_with_gains_only_if_all_pairs_are_there(
    table: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    gains = {f"pair:{pair}": 1.7 - 0.01 * rank for rank, pair in enumerate(PAIRS)}
    made = [*students(MEANS), *students({"seeds": 1.7, **gains}, [0, 1])]
    table.show(made, facts())
    shown = capsys.readouterr().out
    fourth = answers(shown)[3]
    assert fourth[2] == "2"
    assert float(fourth[3].split()[0]) > 0.9
    assert fourth[-1] == "supported"
    rest = [line for line in shown.splitlines() if line.startswith("| not tested: does its")]
    assert "| -0.9" in rest[0] or "| -1.0" in rest[0]
    assert rest[1].endswith("| - | |")
    # Students of further replicates can't turn the answer.
    turned = {name: 1.7 - (mean - 1.5) for name, mean in gains.items()}
    table.show([*made, *students({"seeds": 1.7, **turned}, [2, 3])], facts())
    assert answers(capsys.readouterr().out)[3] == fourth
    table.show([one for one in made if one.cell.arm != "pair:agent-3"], facts())
    assert answers(capsys.readouterr().out)[3][2:] == ["0", "-", "not measured"]
    table.show([one for one in made if one.cell != Cell("pair:agent-3", 1)], facts())
    assert answers(capsys.readouterr().out)[3][-1] == "not tested: 1 of 2 replicates"


def test_question_3_needs_a_uniform_run_that_reached_the_prompts(
    table: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    table.show(students(MEANS), facts(prompts=100, reached=98))
    assert answers(capsys.readouterr().out)[2][-1] == "supported"
    table.show(students(MEANS), facts(prompts=100, reached=97))
    third = answers(capsys.readouterr().out)[2]
    assert third[-1] == "not settled: the uniform run did not reach 3.0% of the prompts"


def test_arms_are_compared_at_equal_length_where_no_row_is_read_twice(
    table: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # A loss that falls by 0.1 with the logarithm of the tokens a row, and by 0.02 more for `win`.
    rows = {"dataset": 12, "random-length": 12, "win": 10, "random-win-length": 10, "random-ifd-length": 8}
    means = {arm: 1.7 - 0.1 * np.log(600 / count) for arm, count in rows.items()}
    means["win"] -= 0.02
    made = [student(arm, seed, means[arm], rows=rows[arm]) for seed in range(5) for arm in rows]
    table.show(made, facts(prompts=20))
    shown = capsys.readouterr().out
    assert "random-win-length has +0.0% tokens a row compared with win (+0.0% +0.0% +0.0%" in shown
    length = [
        line.split(" | ") for line in shown.partition("| length, within one pass |")[2].splitlines()[2:5]
    ]
    long, each, line = (float(cells[2].split()[0]) for cells in length)
    assert long == pytest.approx(0.1 * np.log(8 / 12), abs=0.002)
    assert each == pytest.approx(0.02, abs=0.002)
    assert line == pytest.approx(0.02, abs=0.002)
    assert "over 25 students" in shown
    table.show(made, facts(prompts=12))
    # `dataset` may have read all of its rows, and some of them twice.
    assert "exploratory" not in capsys.readouterr().out


def test_what_the_length_of_responses_predicts_is_taken_from_the_rewards_of_pairs(
    table: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = _module("reward_pairs", monkeypatch)
    rng = np.random.default_rng(3)
    length = rng.permutation(11.0 * np.arange(11))
    noise, other = rng.normal(0, 1, (2, 11))
    assert pairs.partial_correlation(length + 0.01 * noise, -length, length)[1] == 1.0
    found, p = pairs.partial_correlation(length + 20 * noise, length + 20 * noise + other, length)
    assert found > 0.8
    assert p < 0.01
    means = {f"pair:{pair}": 1.7 - 0.01 * rank for rank, pair in enumerate(PAIRS)}
    means["seeds"] = 1.7
    made = [student(arm, seed, mean, rows=10 + len(arm)) for seed in (0, 1) for arm, mean in means.items()]
    table.show(made, facts(prompts=40))
    shown = capsys.readouterr().out
    assert "| agent-3 | 3.000 | -3.000 | - | 27 | +0.03" in shown
    assert "- reward, without claude-2.1: +0.99" in shown or "- reward, without claude-2.1: +1.00" in shown
    assert "- ifd_gap" not in shown
    # The students of agent-10 read their last row, and perhaps the first ones again.
    table.show(made, facts(prompts=23))
    assert "at equal tokens" not in capsys.readouterr().out


def test_students_of_other_choices_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, choices = _module("table", monkeypatch), _module("reward_choices", monkeypatch)
    made: list[dict[str, Any]] = [
        {"texts": "a", "prompts": [0, 1], "arms": {"win": [0, replicate], "dataset": [1, 1]}}
        for replicate in range(2)
    ]
    for seed in range(2):
        checksum = choices.choices_checksum(made[seed], "win")
        text = json.dumps({"choices": checksum, **student("win", seed, 1.0).as_dict()})
        (tmp_path / f"win-{seed}.json").write_text(text)

    def known(cell: Cell) -> str | None:
        return choices.known_checksum(made, cell)

    assert len(table.read(tmp_path, known)) == 2
    assert known(Cell("pair:x", 0)) != known(Cell("pair:y", 0))
    assert known(Cell("pair:x", 0)) == known(Cell("pair:x", 1))
    assert known(Cell(BASE, 0)) is None
    assert known(Cell("win", 2)) is None
    made[0]["arms"]["dataset"] = [0, 0]
    assert len(table.read(tmp_path, known)) == 2
    made[1]["arms"]["win"] = [1, 1]
    with pytest.raises(BadInput, match=r"win-1\.json: was trained on other choices"):
        table.read(tmp_path, known)


@pytest.mark.parametrize(
    "stranger", [student("dataset", 5, 1.0), student("other", 0, 1.0), student("dataset", 0, 1.0, rows=3)]
)
def test_students_that_the_runs_do_not_describe_are_named(stranger: CellResult, table: Any) -> None:
    with pytest.raises(BadInput, match=rf"got {stranger.cell.arm}, replicate {stranger.cell.training_seed}"):
        table.show([student("win", 0, 1.0), stranger], facts())
    with pytest.raises(BadInput, match="got none"):
        table.show([student(BASE, 0, 1.0, 0)], facts())


def test_the_published_choices_have_random_arms_of_their_own_in_each_replicate() -> None:
    made = json.loads(FACTS.read_text())
    prompts = [one["choices"]["prompts"] for one in made]
    for arm in ("random", "random-length", "random-ifd-length", "random-win-length"):
        chosen = [
            dict(zip(numbers, one["choices"]["arms"][arm], strict=True))
            for numbers, one in zip(prompts, made, strict=True)
        ]
        alike = np.mean([chosen[0][number] == chosen[1][number] for number in prompts[0]])
        assert alike < 0.2
    for one in made:
        words = {arm: facts["words"] for arm, facts in one["arms"].items()}
        assert words["random-ifd-length"] == pytest.approx(words["ifd"], rel=0.1)
        assert words["random-win-length"] == pytest.approx(words["win"], rel=0.1)
        assert words["random-length"] == pytest.approx(words["dataset"], rel=0.1)


def test_damaged_files_are_one_line_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reward = _module("reward", monkeypatch)
    command = _module("command", monkeypatch)

    def told(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["reward.py", *words])
        with pytest.raises(SystemExit) as ended:
            command.run(reward.main)
        assert ended.value.code == 2
        return capsys.readouterr().err

    broken = tmp_path / "facts.json"
    for text, expected in (("[", "expected JSON"), ("[]", "a list of replicates"), ("[{}]", "got no costs")):
        broken.write_text(text)
        assert expected in told("table", str(broken))
    empty = tmp_path / "students"
    empty.mkdir()
    assert "got none" in told("table", str(FACTS), str(empty))
    (empty / "win-0.json").write_text("{}")
    assert "win-0.json: expected the result of a student" in told("table", str(FACTS), str(empty))
    (tmp_path / "students.jsonl.gz").write_text("{}")
    assert "expected a .jsonl.gz" in told("table", str(FACTS), str(tmp_path / "students.jsonl.gz"))


class Job:
    """A student that is not trained: only its result is looked up."""

    cell = Cell("win", 0)

    def fingerprint(self, held_out: Any) -> str:
        return "of today"


def test_a_result_of_other_data_is_neither_used_nor_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = _module("students", monkeypatch)
    task = module.Task(Job(), (), tmp_path, "of these choices")
    saved = tmp_path / "win-0.json"
    result = student("win", 0, 1.0).as_dict()
    saved.write_text(json.dumps({"fingerprint": "of today", "choices": "of these choices", **result}))
    assert module.measured(task) == result
    for text, expected in (
        (json.dumps({"fingerprint": "of old", **result}), "is of other data, weights or settings"),
        ('{"fingerprint":', "expected the result of a student"),
    ):
        saved.write_text(text)
        with pytest.raises(BadInput, match=expected):
            module.train([task], 1)
        assert saved.read_text() == text
