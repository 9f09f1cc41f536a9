"""`staragents explain`: the recomputed draw, and every candidate's outcome in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from cluster.cli.explain import explain
from staragents.analysis.explanation import Explanation
from staragents.analysis.reasons import group, outcome, reason
from staragents.base.errors import BadInput
from staragents.base.messages import Conversation, Message
from staragents.base.records import Candidate
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.paths import FAKE
from tests.support.run_files import write_manifest


@pytest.fixture(scope="module")
def run_dir(finished_run: Path) -> Path:
    return finished_run


def rows(run_dir: Path) -> list[dict[str, Any]]:
    return [row for shard in RunDirectory(run_dir).shards() for row in pq.read_table(shard).to_pylist()]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(explain, [str(one) for one in arguments], catch_exceptions=False)


def test_every_logged_propensity_is_reproduced(run_dir: Path) -> None:
    """With recall, several draws and seeds in flight, each draw has the policy state of the run."""
    explanations = [Explanation.of(run_dir, str(row)) for row in (1, 8, 9, 10, 23, 40)]
    assert all(one.reproduced for one in explanations)
    assert any(one.neighbours for one in explanations)
    for one in explanations:
        assert sum(one.probabilities.values()) == pytest.approx(3)  # a base pair and two draws
        assert one.learnt_from == max(0, one.number - 8 + 1)  # eight seeds are in flight
        assert sum(why.startswith("chosen") for why in one.reasons) <= 1
        assert all(why.startswith(("chosen", "not chosen", "rejected", "failed")) for why in one.reasons)


def test_another_policy_would_not_have_these_propensities(run_dir: Path, tmp_path: Path) -> None:
    import shutil

    other = tmp_path / "run"
    shutil.copytree(run_dir, other)
    text = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(text.replace("policy: thompson", "policy: uniform"))
    write_manifest(other)
    assert not Explanation.of(other, rows(run_dir)[-1]["seed_id"]).reproduced


def test_a_seed_is_found_by_its_id_a_candidates_id_the_start_of_one_and_its_row(run_dir: Path) -> None:
    row = rows(run_dir)[30]
    for wanted in (row["seed_id"], row["candidate_id"], row["candidate_id"][:13], str(row["seed_row"])):
        shown = json.loads(call(run_dir, wanted, "--json").output)
        assert shown["seed_id"] == row["seed_id"]
        assert row["candidate_id"] in [candidate["candidate_id"] for candidate in shown["candidates"]]


@pytest.mark.parametrize("wanted", ["nothing-like-it", "9999", "ab"])
def test_an_unknown_id_names_some_that_exist(run_dir: Path, wanted: str) -> None:
    with pytest.raises(BadInput, match="expected the id or row of one of its 40 finished seeds") as caught:
        call(run_dir, wanted)
    assert any(row["seed_id"] in str(caught.value) for row in rows(run_dir))


def test_the_page_shows_texts_numbers_and_reasons(run_dir: Path) -> None:
    row = next(row for row in rows(run_dir) if row["selected"] and not row["base"])
    output = " ".join(call(run_dir, row["seed_id"]).output.split())
    for expected in (
        "the draw, after",
        "Memory: ",
        "judge w",
        "chosen: the highest reward",
        row["pair"],
    ):
        assert expected in output
    assert f"So the dataset contains the candidate of {row['pair']}." in output


def test_it_says_what_recall_did(run_dir: Path) -> None:
    explanation = next(
        one for one in (Explanation.of(run_dir, str(row)) for row in range(40, 20, -1)) if one.neighbours
    )
    recall = explanation.recall
    assert recall.outcomes >= len(explanation.neighbours)
    assert {change.pair: change.with_memory for change in recall.changes} == explanation.probabilities
    # Draws are made of the same number of pairs, so what is added to some is taken from others.
    assert sum(change.size for change in recall.changes) == pytest.approx(0.0, abs=1e-9)
    known = {one for similar in recall.nearest for one in similar.outcomes}
    assert known == set(explanation.neighbours)
    shown = json.loads(call(run_dir, explanation.candidates[0].seed_id, "--json").output)
    assert shown["memory"]["said"] == recall.sentences()


BARE = Candidate("s", "c", "a+x", "a", "x", 0.5, (), reward=0.25, judge_win=0.75, ifd_gap=0.1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"failed_stage": "answer", "failed_agent": "a", "error_message": "away"},
            "failed at stage answer (a): away",
        ),
        ({"reject_reason": "misaligned"}, "above 1"),
        (
            {"reject_reason": "rewrite_no_change"},
            "the seed's instruction (the rewritten instruction)",
        ),
        ({"selected": True}, "chosen: the highest reward among those that the judge prefers, 0.250"),
        ({"reward": None}, "verdict was unreadable"),
        ({"judge_win": 0.4}, "the judge prefers the seed (w = 0.40, required: above 0.55)"),
        ({"judge_win": 0.54}, "the judge hardly prefers it to the seed (w = 0.54, required: above 0.55)"),
        ({}, "its reward 0.250 is not above that of b+y, 0.500"),
    ],
    ids=["failed", "misaligned", "rewrite", "selected", "unreadable", "lost", "hardly won", "second"],
)
def test_every_fate_has_a_sentence(changes: dict[str, Any], expected: str) -> None:
    config = load_config(FAKE, ["reward.margin=0.05"])
    row = replace(BARE, **changes)
    winner = replace(BARE, selected=True, reward=0.5, pair="b+y")
    assert expected in reason(row, [row, winner], config)


ASKED = (Message("user", "What does a heat pump do?"), Message("assistant", "It moves heat."))
SAMPLE = Candidate(
    "s", "b", "keep+direct", "keep", "direct", 1.0, ASKED, (ASKED[0], Message("assistant", "It cools.")),
    base=True, reward=0.1,
)  # fmt: skip
REWRITTEN = (Message("user", "Why does a heat pump move heat?"), Message("assistant", "It evaporates."))


@pytest.mark.parametrize(
    ("settings", "sample", "messages", "expected"),
    [
        ([], {}, REWRITTEN, "the judge prefers the seed (w = 0.40"),
        (["judge.baseline=base"], {}, REWRITTEN, "the judge prefers the base pair's sample (w = 0.40"),
        (
            ["judge.baseline=base"],
            {"messages": (), "reject_reason": "refusal"},
            REWRITTEN,
            "prefers the seed",
        ),
        (["judge.baseline=base"], {"messages": (), "failed_stage": "answer"}, REWRITTEN, "prefers the seed"),
        (["judge.baseline=base"], {"failed_stage": "score"}, REWRITTEN, "the judge prefers its baseline"),
        (
            ["judge.compare=response_same_instruction"],
            {},
            REWRITTEN,
            "the judge prefers the base agent's answer to its instruction (w = 0.40",
        ),
        (["judge.compare=response_same_instruction"], {}, (ASKED[0], REWRITTEN[1]), "prefers the seed"),
    ],
)
def test_a_reason_names_what_the_judge_compared_with(
    settings: list[str], sample: dict[str, Any], messages: Conversation, expected: str
) -> None:
    row = replace(BARE, seed_messages=ASKED, messages=messages, judge_win=0.4)
    assert expected in reason(row, [replace(SAMPLE, **sample), row], load_config(FAKE, settings))


def test_the_base_pairs_sample_is_not_said_to_have_lost_to_itself() -> None:
    config = load_config(FAKE, ["judge.baseline=base"])
    assert reason(SAMPLE, [SAMPLE], config).startswith("not chosen: it is the base pair's sample, with which")
    assert group(SAMPLE, config) == "not chosen: no verdict"


def test_a_tie_is_no_preference() -> None:
    row = replace(BARE, judge_win=0.5)
    assert "the judge does not prefer it to the seed" in reason(row, [row], load_config(FAKE, []))


def test_a_sample_that_is_only_a_fallback_has_no_merit() -> None:
    config = load_config(FAKE, ["judge.baseline=base", "reward.fallback=base"])
    chosen = replace(SAMPLE, selected=True)
    assert "no candidate was eligible" in reason(chosen, [chosen], config)
    assert "omits the seed (reward.fallback=base)" in outcome([BARE], config)
