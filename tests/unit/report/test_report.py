import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go
import pytest

from staragents.analysis.one_pass import one_pass
from staragents.analysis.saved_run import SavedRun
from staragents.analysis.timeline import POINTS
from staragents.base.errors import BadInput
from staragents.report.chart_data import IFD_POINTS, ChartData
from staragents.report.report import write_report
from tests.support.page import Page

CHARTS = {
    "funnel",
    "losses",
    "policy",
    "beliefs",
    "rewards",
    "recall",
    "reward_course",
    "ifd",
    "judge",
    "entropy",
    "tokens",
    "seconds",
}
MARK = "document.documentElement.dataset.ran=1"
PAYLOAD = (
    f'</script><script>{MARK}</script><!--<script><img src=x onerror="{MARK}"> {{{{ 7 * 7 }}}} '
    f"<a href='javascript:{MARK}'>a</a> %{{y}} </pre></div><svg onload={MARK}>\u2028 ${{jndi}}"
)
PAIRS = {f"<img src=x onerror={MARK}>+careful": 0.7, "deepen+brief": 0.4, f"</script><b>{MARK}+brief": 0.3}


def chromium(page: Path, tmp_path: Path) -> str:
    """The page's DOM after its scripts ran in a headless browser."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    profile = tmp_path / "profile"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += ["--virtual-time-budget=5000", "--dump-dom", f"--user-data-dir={profile}"]
    done = subprocess.run([program, *flags, page.as_uri()], capture_output=True, text=True, timeout=120)
    shutil.rmtree(profile, ignore_errors=True)
    return done.stdout


def gathered(run: SavedRun, seeds: int) -> ChartData:
    charts = ChartData.of(run.config, seeds, seeds)
    one_pass(run.folder.seeds(), charts)
    return charts


def ran(dom: str) -> bool:
    return re.search(r"<html[^>]*data-ran", dom) is not None


def test_report_shows_every_chart_and_valid_figures(run_writer: Callable[..., Path]) -> None:
    page = Page(write_report(run_writer()))
    assert set(page.figures) == CHARTS
    assert {attrs["id"] for tag, attrs in page.tags if attrs.get("class") == "plot"} == {
        f"chart-{name}" for name in CHARTS
    }
    for figure in page.figures.values():
        go.Figure(figure)  # raises on a property unknown to plotly
    assert "FAKE ENGINES" not in page.text
    assert "Synthetic run" in page.text


def test_report_fetches_nothing(run_writer: Callable[..., Path]) -> None:
    page = Page(write_report(run_writer()))
    asking = [(tag, attrs) for tag, attrs in page.tags if {"src", "href", "srcset", "data"} & attrs.keys()]
    assert asking == []
    (policy,) = (a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize(("seeds", "lacking"), [(0, CHARTS), (1, {"reward_course"}), (4, set())])
def test_tiny_run_has_a_report(run_writer: Callable[..., Path], seeds: int, lacking: set[str]) -> None:
    page = Page(write_report(run_writer(seeds=seeds)))
    for figure in page.figures.values():
        go.Figure(figure)
    assert set(page.figures) == CHARTS - lacking
    assert sum(attrs.get("class") == "missing" for _, attrs in page.tags) >= len(lacking)


def test_a_run_where_everything_failed_has_a_report(run_writer: Callable[..., Path]) -> None:
    folder = run_writer(seeds=4, dead=True)
    page = Page(write_report(folder))
    assert set(page.figures) == {"funnel", "losses", "recall", "policy", "beliefs", "entropy"}
    assert "No candidate was scored by both models." in page.text


def test_facts_the_coordinator_may_not_know_are_optional(run_writer: Callable[..., Path]) -> None:
    folder = run_writer(seeds=4)
    summary = json.loads((folder / "summary.json").read_text())
    summary["run"] = {}
    (folder / "summary.json").write_text(json.dumps(summary))
    assert write_report(folder).is_file()


def test_fake_engines_are_announced_on_top(run_writer: Callable[..., Path]) -> None:
    page = Page(write_report(run_writer(seeds=4, facts={"engines": {"smollm": "fake"}})))
    assert page.text.index("FAKE ENGINES") < page.text.index("Seeds in")


def test_stopped_run_says_so(run_writer: Callable[..., Path]) -> None:
    text = Page(write_report(run_writer(seeds=4, facts={"finished": False, "seeds": 9}))).text
    assert "stopped before its last seed: 4 of 9 seeds" in text


def test_same_run_gives_the_same_report(run_writer: Callable[..., Path]) -> None:
    folder = run_writer(seeds=20)
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first


@pytest.mark.slow
def test_hostile_texts_are_shown_and_not_interpreted(run_writer: Callable[..., Path], tmp_path: Path) -> None:
    folder = run_writer(seeds=12, text=PAYLOAD, pairs=PAIRS)
    cell = {"domain": PAYLOAD, "candidates": 3, "reward": 0.5, "half_width_90": 0.1, "stands_out": True}
    domains = {
        "domains": [{"name": PAYLOAD, "seeds": 12}],
        "pairs": list(PAIRS),
        "cells": [{"pair": pair, **cell} for pair in PAIRS],
    }
    diagnosis = {"seeds": 12, "findings": [PAYLOAD], "domains": domains}
    (folder / "diagnosis.json").write_text(json.dumps(diagnosis), encoding="utf-8")
    path = write_report(folder)
    page = Page(path)
    assert "domains" in page.figures
    assert [tag for tag, _ in page.tags].count("script") == 7
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "{{ 7 * 7 }}" in page.text
    assert PAYLOAD.split("\u2028")[0] in page.text
    # Plotly itself renders a subset of HTML in labels.
    assert not re.search(r"<(img|script|/script|a|b)\b", json.dumps(page.figures))

    control = tmp_path / "control.html"
    control.write_text(f"<html><body>{PAYLOAD}", encoding="utf-8")
    assert ran(chromium(control, tmp_path)), "the payload must be able to run, or this test shows nothing"
    dom = chromium(path, tmp_path)
    assert dom.count("main-svg") >= len(page.figures)
    assert not ran(dom)
    # Escaping must suffice without the page's own policy.
    bare = tmp_path / "bare.html"
    bare.write_text(re.sub(r"<meta http-equiv[^>]*>", "", path.read_text(encoding="utf-8")), encoding="utf-8")
    assert not ran(chromium(bare, tmp_path))


def test_pairs_whose_names_begin_alike_keep_their_own_rows(run_writer: Callable[..., Path]) -> None:
    names = [f"a-very-long-name-of-an-instruction-agent-{n}+careful" for n in range(3)]
    page = Page(write_report(run_writer(seeds=20, pairs=dict.fromkeys(names, 0.6))))
    axis = page.figures["rewards"]["layout"]["yaxis"]
    assert set(names) <= set(axis["tickvals"])
    assert all(len(text) <= 40 for text in axis["ticktext"])


def test_timeline_ends_at_the_policys_current_state_and_is_bounded(run_writer: Callable[..., Path]) -> None:
    run = SavedRun.open(run_writer(seeds=230))
    evidence = gathered(run, 230)
    snapshots = evidence.timeline.snapshots
    assert len(snapshots) <= POINTS + 2
    assert (snapshots[0].seeds, snapshots[-1].seeds) == (0, 230)
    rows = [row for seed in run.folder.seeds() for row in seed if not row.base and row.reward is not None]
    for standing in snapshots[-1].pair_stats:
        rewards = [row.reward for row in rows if row.pair == standing.pair]
        assert standing.observations == len(rewards)
        assert standing.mean_reward == pytest.approx(sum(rewards) / len(rewards))
    assert sum(s.probability for s in snapshots[-1].pair_stats) == pytest.approx(1)


def test_evidence_stays_small_in_a_large_run(run_writer: Callable[..., Path]) -> None:
    run = SavedRun.open(run_writer(seeds=900, seeds_per_shard=300))
    evidence = gathered(run, 900)
    assert evidence.ifd_others.seen > IFD_POINTS
    assert len(evidence.ifd_others.items) == IFD_POINTS
    assert len(evidence.recall) <= 40
    assert sum(window.seeds for window in evidence.recall) == 900
    drawn = [one for seed in run.folder.seeds() for one in seed if not one.base and one.reward is not None]
    assert sum(window.rewards for window in evidence.recall) == len(drawn)
    assert len(evidence.examples.chosen()) <= 12


def test_examples_are_the_best_accepted_then_lost_then_one_a_reject_reason(
    run_writer: Callable[..., Path],
) -> None:
    run = SavedRun.open(run_writer())
    evidence = gathered(run, 60)
    examples = evidence.examples.chosen()
    accepted = [e.row.reward for e in examples if e.outcome == "accepted"]
    best = sorted((r.reward for seed in run.folder.seeds() for r in seed if r.selected), reverse=True)
    assert accepted == best[:5]
    lost = [e.row.judge_win for e in examples if e.outcome == "lost"]
    assert lost
    assert all(win < 0.5 for win in lost)
    reasons = [e.row.reject_reason for e in examples if e.outcome == "rejected"]
    assert sorted(reasons) == ["cut_off", "refusal", "rewrite_echo"]


def test_rewards_per_cost_are_called_so(run_writer: Callable[..., Path]) -> None:
    folder = run_writer()
    assert "Mean reward by pair over the run" in Page(write_report(folder)).text
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("cost: none", "cost: tokens"))
    text = Page(write_report(folder)).text
    assert "Mean reward per cost by pair over the run" in text
    assert "what the policy learns: reward / (1 + tokens / mean tokens)" in text


def test_an_example_that_lost_names_what_the_judge_preferred(run_writer: Callable[..., Path]) -> None:
    folder = run_writer()
    assert "The judge prefers the seed" in Page(write_report(folder)).text
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("baseline: seed", "baseline: base"))
    text = Page(write_report(folder)).text
    assert "The judge prefers the base pair's sample" in text


def test_a_folder_without_a_finished_run_is_bad_input(
    tmp_path: Path, run_writer: Callable[..., Path]
) -> None:
    with pytest.raises(BadInput, match=r"config\.yaml"):
        write_report(tmp_path)
    folder = run_writer(seeds=2)
    (folder / "summary.json").unlink()
    with pytest.raises(BadInput, match=r"no summary\.json"):
        write_report(folder)
