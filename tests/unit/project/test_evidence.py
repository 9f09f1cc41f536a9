"""What the training experiments decide by themselves: verdicts from recorded ones, seeds, and answers."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.evidence.weak_agent import TABLE, Weak, against
from staragents.base.errors import BadInput
from staragents.base.messages import with_exchange
from staragents.base.records import MISALIGNED, Candidate
from staragents.config import RewardConfig
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.replay.recorded_answers import RecordedAnswers
from staragents.reward.composite import choose

EVIDENCE = Path(__file__).parents[3] / "benchmarks" / "evidence"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    rows = [
        {
            "instruction": f"Describe mill {number}.",
            "response": {"weak": f"Mill {number}.", "strong": f"Mill {number} grinds.", "same": "Mill 0."},
            "win": {"weak": 0.2, "strong": 0.5, "same": 0.9},
        }
        for number in range(4)
    ]
    rows.append({**rows[0], "instruction": "Say nothing.", "response": {**rows[0]["response"], "weak": " "}})
    path = tmp_path / "recorded.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("win", "other", "expected"),
    [(0.5, 0.5, 0.5), (0.01, 0.01, 0.5), (0.8, 0.5, 0.8), (0.5, 0.8, 0.2), (0.8, 0.2, 16 / 17)],
)
def test_a_verdict_is_the_difference_of_two_in_log_odds(win: float, other: float, expected: float) -> None:
    assert against(win, other) == pytest.approx(expected)


@pytest.mark.parametrize(("win", "other"), [(0.0, 0.0), (1.0, 1.0), (0.0, 1e-6)])
def test_verdicts_below_the_last_recorded_decimal_do_not_differ(win: float, other: float) -> None:
    assert against(win, other) == 0.5
    assert against(0.0, 1.0) == pytest.approx(0.0, abs=1e-9)


def test_the_seeds_have_the_weak_agents_responses_and_the_table_verdicts_on_the_others(
    recorded: Path, tmp_path: Path
) -> None:
    weak = Weak.read(recorded, "weak")
    weak.write(tmp_path, 2, {})
    assert weak.agents == ("strong", "same")
    orders = [
        [json.loads(line) for line in weak.seeds_file(tmp_path, replicate).read_text().splitlines()]
        for replicate in (0, 1)
    ]
    assert orders[0] != orders[1]
    assert sorted(row["output"] for row in orders[0]) == [f"Mill {number}." for number in range(4)]
    answers = RecordedAnswers.read(tmp_path / TABLE)
    assert answers.agents == {"strong", "same"}
    assert answers.is_reference("Describe mill 2.", "Mill 2.")
    assert answers.win("Describe mill 2.", "Mill 2 grinds.") == pytest.approx(0.8)
    # An answer that is the seed's ties with it, whatever was recorded.
    assert answers.win("Describe mill 0.", "Mill 0.") == 0.5
    assert answers.win("Describe mill 1.", "Mill 0.") == pytest.approx(36 / 37)


def test_fewer_prompts_are_the_first_of_more(recorded: Path) -> None:
    assert Weak.read(recorded, "weak", 2).rows == Weak.read(recorded, "weak", 3).rows[:2]


def test_an_agent_that_is_not_recorded_and_a_bad_row_are_named(recorded: Path) -> None:
    with pytest.raises(BadInput, match="expected one of weak, strong, same, got alpaca"):
        Weak.read(recorded, "alpaca")
    good = recorded.read_text()
    recorded.write_text(good.replace('"strong": "Mill 2 grinds."', '"strong": null'))
    with pytest.raises(BadInput, match=r"recorded\.jsonl:3:response\.strong: expected a text"):
        Weak.read(recorded, "weak")
    recorded.write_text(good + '{"instruction": "x", "win": {"weak": 2}}\n')
    with pytest.raises(BadInput, match=r"recorded\.jsonl:6:win"):
        Weak.read(recorded, "weak")


def test_an_experiment_is_trained_from_its_numbers_alone(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EVIDENCE))
    choices: Any = importlib.import_module("reward_choices")
    weak = Weak.read(recorded, "weak")
    first, second, *_ = weak.rows
    # A run may change white space.
    made = [
        _arm("seeds", (second, second["reference"]), (first, f" {first['reference']}")),
        _arm("dataset", (second, second["response"]["strong"] + "\n"), (first, first["reference"])),
    ]
    saved = json.loads(json.dumps(choices.choices_of(made, weak)))
    assert saved["prompts"] == [1, 0]
    assert saved["arms"] == {"seeds": [-1, -1], "dataset": [0, -1]}
    arms = {arm.name: arm for arm in choices.arms_from(saved, weak)}
    assert list(arms) == ["seeds", "dataset", "pair:strong", "pair:same"]
    rows = arms["dataset"].rows
    assert [[turn.content for turn in row.messages] for row in rows] == [
        [second["instruction"], second["response"]["strong"]],
        [first["instruction"], first["reference"]],
    ]
    assert [row.filled for row in rows] == [False, True]
    assert [row.messages[-1].content for row in arms["pair:same"].rows] == ["Mill 0.", "Mill 0."]
    with pytest.raises(BadInput, match="expected the recorded responses of strong, same, got others"):
        choices.arms_from(saved, Weak.read(recorded, "strong"))
    with pytest.raises(BadInput, match="got others"):
        choices.arms_from(saved, Weak.read(recorded, "weak", 1))
    recorded.write_text(recorded.read_text().replace(" grinds.", " turns."))
    with pytest.raises(BadInput, match="got others"):
        choices.arms_from(saved, Weak.read(recorded, "weak"))


def _arm(name: str, *rows: tuple[dict[str, Any], str]) -> Arm:
    return Arm(
        name,
        tuple(
            TrainingRow(str(number), with_exchange((), row["instruction"], response))
            for number, (row, response) in enumerate(rows)
        ),
    )


def test_w_alone_chooses_what_ifd_excluded_and_nothing_that_a_rule_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(EVIDENCE))
    arms: Any = importlib.import_module("reward_arms")
    seed = with_exchange((), "Describe a mill.", "A mill.")
    rows = [
        Candidate(
            "seed", name, name, "keep", name, 1.0, seed, with_exchange((), "Describe a mill.", name),
            judge_win=win, reward=reward, reject_reason=reason,
        )
        for name, win, reward, reason in (
            ("hard", 0.7, 0.6, None),
            ("liked", 0.8, 0.1, None),
            ("misaligned", 0.9, 0.0, MISALIGNED),
            ("refusal", 0.95, 0.0, "refusal"),
        )
    ]  # fmt: skip
    rule = RewardConfig()
    by_reward, by_win = choose(rows, rule), choose([arms._with_win(one) for one in rows], rule)
    assert by_reward is not None
    assert by_win is not None
    assert (by_reward.candidate_id, by_win.candidate_id) == ("hard", "misaligned")
