"""Rows with an input in a column of its own, in a run and in one that an earlier version began."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from staragents.base.messages import Conversation
from staragents.config import Config
from staragents.run.scoring_rules import rule_notes
from staragents.run_directory.run_directory import RunDirectory
from staragents.scoring.ifd import Score
from staragents.validation.loading import load_config
from tests.support.local_run import LocalScorer, drained_run, local_run
from tests.support.paths import FAKE


class Recording(LocalScorer):
    def __init__(self) -> None:
        super().__init__("target")
        self.scored: list[Conversation] = []

    async def score(self, messages: Conversation) -> tuple[Score, float]:
        self.scored.append(messages)
        return await super().score(messages)


def config_of(folder: Path, *overrides: str, given: str = "Twice, and {0} again.") -> Config:
    rows = [
        {"instruction": f"Say {n}.", "input": given.format(n), "output": f"{n}, {n} and then {n} again."}
        for n in range(6)
    ]
    seeds = folder / "seeds.json"
    seeds.write_text(json.dumps(rows))
    settings = ("run.checkpoint_s=0", "run.admitted_seeds=1", *overrides)
    return load_config(FAKE, [f"seeds.path={seeds}", f"output.dir={folder / 'run'}", *settings])


async def test_seeds_and_kept_instructions_are_scored_with_their_input_apart(tmp_path: Path) -> None:
    target = Recording()

    def watch(coordinator: Any) -> None:
        coordinator.worker._pipeline._target = target

    await local_run(config_of(tmp_path, "seeds.limit=1"), watch)
    (candidates,) = RunDirectory(tmp_path / "run").seeds()
    kept = [c for c in candidates if c.generated and c.messages[:-1] == c.seed_messages[:-1]]
    assert kept
    asked = [messages[-2] for messages in target.scored]
    assert [(turn.instruction, turn.input) for turn in asked if turn.content.startswith("Say 0.\n\n")] == [
        ("Say 0.", "Twice, and 0 again.")
    ] * (1 + len(kept))


def without_rule(run: RunDirectory) -> None:
    """The state as earlier versions wrote it."""
    state = run.state()
    assert state is not None
    del state["inputs"]
    run.write_state(state)


async def test_a_run_of_an_earlier_version_says_that_its_scores_follow_two_rules(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    await drained_run(config, 2)
    run = RunDirectory(tmp_path / "run")
    assert list(rule_notes(config, run)) == []
    without_rule(run)
    (note,) = rule_notes(config, run)
    state = run.state()
    assert state is not None
    assert f"IFDs of the {state['cursor']} seeds before and of those after are not comparable" in note
    assert "scoring.template=plain" in note
    await local_run(config)
    assert list(rule_notes(config, run)) == []


@pytest.mark.parametrize(("overrides", "given"), [([], ""), (["scoring.template=chat"], "Twice, {0}.")])
async def test_a_run_whose_scores_are_the_same_says_nothing(
    tmp_path: Path, overrides: list[str], given: str
) -> None:
    config = config_of(tmp_path, *overrides, given=given)
    await drained_run(config, 2)
    without_rule(RunDirectory(tmp_path / "run"))
    assert list(rule_notes(config, RunDirectory(tmp_path / "run"))) == []
