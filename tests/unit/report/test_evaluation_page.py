"""The page and the terminal table of an evaluation."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from cluster.cli.evaluation_table import show
from staragents.base.estimate import Estimate
from staragents.base.statistics import Mean
from staragents.evaluation.build import evaluation_of
from staragents.evaluation.cell import BASE
from staragents.evaluation.evaluation import Evaluation, HeldOutFacts
from staragents.evaluation.judge_facts import JudgeFacts
from staragents.evaluation.pair_measures import PairMeasures
from staragents.report.evaluation_page import charts, page_of
from tests.support.student_worlds import arms_named, students

HOSTILE = "<b>worse</b>"
PAIRS = [f"pair:p{number}" for number in range(4)]


@pytest.fixture(scope="module")
def result() -> Evaluation:
    effects = {"dataset": -0.1, "seeds": 0.0, "random": 0.0, HOSTILE: 0.2}
    effects |= {name: -0.05 * number for number, name in enumerate(PAIRS)}
    measures = {
        name: PairMeasures(9, Mean(1, 0.1 * number, 0.0), Mean(1, 0.2, 0.0), Mean())
        for number, name in enumerate(PAIRS)
    }
    return evaluation_of(
        dataclasses.replace(arms_named(list(effects)), pairs=measures),
        students(effects, training_seeds=2, conversations=40),
        student="packaged:<i>student</i>",
        runs=["runs/</script>"],
        settings={"epochs": 1.0},
        held_out=HeldOutFacts("held.jsonl", "0" * 64, 40, []),
        warnings=["a <u>doubt</u>"],
    )


def test_the_page_is_escaped_and_complete(result: Evaluation) -> None:
    page = page_of(result)
    for text in ("<b>worse", "<i>student", "<u>doubt", "runs/</script>"):
        assert text not in page
    assert "&lt;b&gt;worse&lt;/b&gt;" in page
    assert "http://" not in page.split('id="plotly"')[0]
    assert "<strong>-0.1" in page
    assert "<dt>held-out file</dt><dd>held.jsonl</dd>" in page  # the checksum is not that of the file
    assert f"<dt>measured conversations</dt><dd>SHA-256 of their ids and writers: {'0' * 64}</dd>" in page
    assert "Does the reward predict training?" in page
    for chart in charts(result):
        assert f'id="chart-{chart.name}"' in page


def test_charts_show_the_intervals_of_the_result(result: Evaluation) -> None:
    shown = {chart.name: chart.figure for chart in charts(result)}
    assert list(shown) == ["against-0", "against-1", "writers", "pairs-reward", "pairs-ifd_gap"]
    first = shown["against-0"]
    assert first is not None
    (trace,) = first["data"]
    one = result.difference("dataset", "seeds")
    assert one is not None
    assert one.estimate is not None
    assert trace["x"][0] == one.estimate.mean
    assert trace["error_x"]["array"][0] == pytest.approx(one.estimate.high - one.estimate.mean)
    assert trace["y"] == ["dataset", "random", "&lt;b&gt;worse&lt;/b&gt;", *PAIRS]


def test_asking_for_pairs_widens_no_other_interval(result: Evaluation) -> None:
    effects = {"dataset": -0.1, "seeds": 0.0, "random": 0.0, HOSTILE: 0.2}
    found = evaluation_of(
        arms_named(list(effects)),
        students(effects, training_seeds=2, conversations=40),
        student="",
        runs=[],
        settings={},
        held_out=result.held_out,
    )
    assert found.difference("dataset", "seeds") == result.difference("dataset", "seeds")
    assert found.power.arms == result.power.arms == 3


def test_the_table_marks_what_is_told_and_stays_on_a_line(result: Evaluation) -> None:
    out = io.StringIO()
    show(Console(file=out, width=80), result, Path("runs/x-evaluate"))
    lines = out.getvalue().splitlines()
    dataset, _ = [line for line in lines if line.startswith("dataset ")]
    assert dataset.count("*") == 2
    equal, _ = [line for line in lines if line.startswith("random ")]
    assert "*" not in equal
    assert any(line.startswith(HOSTILE) for line in lines)
    assert "80% power" in out.getvalue()
    assert "note: a <u>doubt</u>" in out.getvalue()
    assert "runs/x-evaluate/evaluate.html" in out.getvalue()


def test_the_default_arms_fit_into_a_terminal_of_80_columns_and_the_page(result: Evaluation) -> None:
    effects = {"dataset": -0.1, "seeds": 0.0, "random": 0.0, "random-length": -0.05}
    found = evaluation_of(
        arms_named(list(effects)),
        students(effects, training_seeds=2, conversations=40),
        student="",
        runs=[],
        settings={},
        held_out=result.held_out,
    )
    out = io.StringIO()
    show(Console(file=out, width=80, force_terminal=True, color_system=None), found, Path("x"))
    lines = out.getvalue().splitlines()
    (heading,) = [line for line in lines if line.startswith("arm ") and "loss" in line]
    assert heading.split() == ["arm", "loss", "vs", "seeds", "vs", "random", "vs", "random-length"]
    shown = [line.split() for line in lines if line.startswith("dataset ")]
    assert [len(words) for words in shown] == [2 + 2 * 3, 4]
    assert shown[1] == ["dataset", "40", "0", "50,000"]
    assert "<th>vs random-length</th>" in page_of(found)
    assert [chart.name for chart in charts(found)][:3] == ["against-0", "against-1", "against-2"]


def with_more(result: Evaluation, fake: bool) -> Evaluation:
    """The same result with verdicts and the scores of a task."""
    effects = {"dataset": 0.2, "seeds": 0.0, "random": 0.0}
    rng = np.random.default_rng(0)
    measured = [
        one
        if one.cell.arm == BASE
        else dataclasses.replace(
            one,
            wins={f"c{n}": float(rng.uniform(0.3, 0.7) + effects[one.cell.arm]) for n in range(40)},
            scores={"<u>arc</u>": 0.5 + effects[one.cell.arm] + 0.001 * one.cell.training_seed},
        )
        for one in students(effects, training_seeds=2, conversations=40)
    ]
    return evaluation_of(
        arms_named(list(effects)),
        measured,
        student="x",
        runs=["runs/mine"],
        settings={},
        held_out=result.held_out,
        judge=JudgeFacts("fake" if fake else "a/<u>judge</u>", fake, 40, 256, 240, 3),
    )


def test_wins_and_scores_are_on_the_page_and_in_the_table(result: Evaluation) -> None:
    found = with_more(result, fake=False)
    page = page_of(found)
    row = next(row for row in found.arms if row.name == "dataset")
    assert row.wins is not None
    assert f"{100 * row.wins.mean:.1f} % <small>({100 * row.wins.low:.1f} to" in page
    assert "3 of 240 comparisons have no readable verdict" in page
    assert "a/&lt;u&gt;judge&lt;/u&gt; compared each answer" in page
    assert "<th>&lt;u&gt;arc&lt;/u&gt;</th>" in page
    assert "<u>" not in page
    assert "FAKE" not in page
    assert [chart.name for chart in charts(found)][-2:] == ["more-0", "more-1"]
    out = io.StringIO()
    show(Console(file=out, width=80), found, Path("runs/x-evaluate"))
    assert "wins over untrained" in out.getvalue()
    line, _ = [line for line in out.getvalue().splitlines() if line.startswith("dataset ")]
    assert f"{100 * row.wins.mean:.1f} % +- {50 * (row.wins.high - row.wins.low):.1f}" in line
    assert "judge a/<u>judge</u>: 240 comparisons on 40 prompts" in out.getvalue()


def test_wins_that_are_all_ties_have_no_interval(result: Evaluation) -> None:
    found = with_more(result, fake=False)
    half = Estimate(0.5, 0.5, 0.5)
    found = dataclasses.replace(found, arms=[dataclasses.replace(row, wins=half) for row in found.arms])
    assert "<td>50.0 %</td>" in page_of(found)
    out = io.StringIO()
    show(Console(file=out, width=80), found, Path("runs/x-evaluate"))
    line, _ = [line for line in out.getvalue().splitlines() if line.startswith("dataset ")]
    assert "50.0 %" in line
    assert "50.0 % +-" not in line


def test_a_fake_judge_says_so_everywhere(result: Evaluation) -> None:
    found = with_more(result, fake=True)
    assert "<strong>FAKE JUDGE</strong>" in page_of(found)
    out = io.StringIO()
    show(Console(file=out, width=80), found, Path("runs/x-evaluate"))
    assert "FAKE judge, whose verdicts say nothing" in out.getvalue()
