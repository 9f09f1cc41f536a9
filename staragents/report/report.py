"""report.html: one self-contained page about a run that opens offline."""

from __future__ import annotations

from pathlib import Path

from staragents.analysis.certainty import entropy
from staragents.analysis.saved_run import REFERENCE, SavedRun
from staragents.analysis.timeline import Moment, Timeline
from staragents.report.candidate_table import MAX_ROWS, MAX_TEXT_MIB, CandidateTable
from staragents.report.chart import Chart
from staragents.report.chart_data import ChartData
from staragents.report.diagnosis_charts import domains_chart, entropy_chart
from staragents.report.page import rendered
from staragents.report.quality_charts import (
    beliefs_chart,
    ifd_chart,
    judge_chart,
    policy_chart,
    rewards_chart,
)
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
    evidence = ChartData.gather(
        run.folder.seeds(),
        funnel["finished"],
        Timeline(run.config, funnel["seeds"], funnel["finished"]),
        CandidateTable(run.config, max_rows, max_text_mib),
    )
    run.folder.write("report.html", _page(run, evidence))
    return run.folder.path / "report.html"


def _page(run: SavedRun, evidence: ChartData) -> str:
    sections = _sections(run, evidence)
    return rendered(
        "report.html.j2",
        [chart for _, charts in sections for chart in charts],
        more_scripts=["difference", "explanation", "table"],
        run=run,
        title=run.title,
        reference=REFERENCE,
        summary=run.summary,
        findings=run.diagnosis.get("findings", run.summary["warnings"]),
        facts=run.summary["run"],
        sections=sections,
        examples=evidence.examples.chosen(),
        table=evidence.table,
    )


def _sections(run: SavedRun, evidence: ChartData) -> list[Section]:
    summary, moments = run.summary, evidence.timeline.moments
    stages = summary["cost"]["stages"]
    return [
        ("Yield", [funnel_chart(summary["funnel"]), losses_chart(summary["funnel"])]),
        (
            "Agent pairs",
            [
                policy_chart(moments, run.config.evolution.policy.value),
                beliefs_chart(moments),
                rewards_chart(summary["pairs"], evidence.rewards),
                recall_chart(evidence.recall, run.config.memory.enabled),
            ],
        ),
        (
            "Difficulty and judge",
            [ifd_chart(evidence.ifd_accepted, evidence.ifd_others), judge_chart(evidence.verdicts)],
        ),
        ("Diagnosis", [entropy_chart(_entropy(moments)), domains_chart(run.diagnosis.get("domains"))]),
        ("Cost", [tokens_chart(stages), seconds_chart(stages)]),
    ]


def _entropy(moments: list[Moment]) -> list[list[float]]:
    values = [(moment.seeds, entropy(moment.pair_stats)) for moment in moments]
    return [[seeds, value] for seeds, value in values if value is not None]
