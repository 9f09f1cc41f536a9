"""report.html: one self-contained page about a run that opens offline."""

from __future__ import annotations

from pathlib import Path

from staragents.analysis.certainty import entropy
from staragents.analysis.one_pass import one_pass
from staragents.analysis.saved_run import REFERENCE, SavedRun
from staragents.analysis.timeline import Snapshot
from staragents.report.candidate_charts import ifd_chart, judge_chart
from staragents.report.candidate_table import MAX_ROWS, MAX_TEXT_MIB
from staragents.report.chart import Chart
from staragents.report.chart_data import ChartData
from staragents.report.course_charts import memory_chart, reward_chart
from staragents.report.diagnosis_charts import domains_chart, entropy_chart
from staragents.report.page import rendered
from staragents.report.pair_charts import beliefs_chart, policy_chart, rewards_chart
from staragents.report.run_charts import (
    funnel_chart,
    losses_chart,
    recall_chart,
    seconds_chart,
    tokens_chart,
)

Section = tuple[str, list[Chart]]


def write_report(
    run: SavedRun | str | Path, max_rows: int = MAX_ROWS, max_text_mib: float = MAX_TEXT_MIB
) -> Path:
    """Write report.html from the contents of the run directory; returns its path.

    Its table holds at most `max_rows` candidates with at most `max_text_mib` of texts. Raises BadInput if
    the folder is not a run directory with a summary.
    """
    run = SavedRun.of(run)
    funnel = run.summary["funnel"]
    charts = ChartData.of(
        run.config, funnel["seeds"], funnel["finished"], max_rows, max_text_mib, run.drawn_pairs
    )
    one_pass(run.folder.seeds(), charts)
    return write_page(run, charts)


def write_page(run: SavedRun, charts: ChartData) -> Path:
    """Write report.html from the data of all its seeds; returns its path."""
    run.folder.write("report.html", _page(run, charts))
    return run.folder.path / "report.html"


def _page(run: SavedRun, charts: ChartData) -> str:
    sections = _sections(run, charts)
    return rendered(
        "report.html.j2",
        [chart for _, section in sections for chart in section],
        more_scripts=["difference", "explanation", "table"],
        run=run,
        title=run.title,
        reference=REFERENCE,
        summary=run.summary,
        findings=run.diagnosis.get("findings", run.summary["warnings"]),
        said=run.diagnosis.get("worth", {}).get("said", []),
        facts=run.summary["run"],
        sections=sections,
        examples=charts.examples.chosen(),
        table=charts.table,
    )


def _sections(run: SavedRun, charts: ChartData) -> list[Section]:
    summary, snapshots = run.summary, charts.timeline.snapshots
    stages = summary["cost"]["stages"]
    return [
        ("Yield", [funnel_chart(summary["funnel"]), losses_chart(summary["funnel"])]),
        (
            "Agent pairs",
            [
                reward_chart(charts.recall),
                policy_chart(snapshots, run.config.evolution.policy.value),
                beliefs_chart(snapshots, run.config.reward.cost),
                rewards_chart(summary["pairs"], charts.rewards),
                recall_chart(charts.recall, run.config.memory.enabled),
            ],
        ),
        (
            "Difficulty and judge",
            [ifd_chart(charts.ifd_accepted, charts.ifd_others), judge_chart(charts.verdicts)],
        ),
        (
            "Diagnosis",
            [
                entropy_chart(_entropy(snapshots)),
                memory_chart(run.diagnosis.get("memory"), run.config.memory.enabled, run.config.reward.cost),
                domains_chart(run.diagnosis.get("domains")),
            ],
        ),
        ("Cost", [tokens_chart(stages), seconds_chart(stages)]),
    ]


def _entropy(snapshots: list[Snapshot]) -> list[list[float]]:
    values = [(snapshot.seeds, entropy(snapshot.pair_stats)) for snapshot in snapshots]
    return [[seeds, value] for seeds, value in values if value is not None]
