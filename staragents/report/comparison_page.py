"""A comparison as one HTML page that opens offline."""

from __future__ import annotations

import html

from staragents.comparison.comparison import Comparison
from staragents.report.chart import ACCENT, MUTED, Axis, Chart, bar_height, figure, names_axis
from staragents.report.course_charts import courses_chart
from staragents.report.page import rendered

MEASURES = {
    "win": ("Judge", "Mean probability that the common judge prefers a variant's row to the seed.", ".3f"),
    "improved": ("Improved", "Share of seeds for which the common judge prefers the variant's row.", ".0%"),
    "target_ifd": ("Target IFD", "Mean IFD of the dataset under the target model.", ".3f"),
}


def page_of(result: Comparison) -> str:
    """The complete page."""
    return rendered("compare.html.j2", charts(result), result=result, charts=charts(result))


def charts(result: Comparison) -> list[Chart]:
    """One chart per measure: each variant minus the reference on the same seeds; then the course of
    rewards."""
    measures = [_against(result, name, *texts) for name, texts in MEASURES.items()]
    return [*measures, courses_chart(result.rows)]


def _against(result: Comparison, measure: str, title: str, note: str, shape: str) -> Chart:
    differences = [(row.name, (row.against or {}).get(measure)) for row in result.rows]
    shown = [(name, one) for name, one in differences if one is not None]
    heading = f"{title}, difference from {result.reference}"
    if not shown:
        return Chart(measure, heading, note, None, "Nothing to compare.")
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [one.mean for _, one in shown],
        "y": [html.escape(name) for name, _ in shown],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [one.high - one.mean for _, one in shown],
            "arrayminus": [one.mean - one.low for _, one in shown],
            "color": ACCENT,
        },
        "marker": {"color": ACCENT, "size": 9},
        "hovertemplate": "%{y}: %{x:+" + shape + "}<extra></extra>",
    }
    zero = {"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper"}
    layout = {"shapes": [{**zero, "line": {"color": MUTED, "dash": "dot", "width": 1.5}}]}
    return Chart(
        measure,
        heading,
        f"{note} Whiskers are 95 % intervals; a difference whose interval crosses the line may be chance.",
        figure(
            [trace],
            Axis("", {"tickformat": "+" + shape, "nticks": 6}),
            names_axis([name for name, _ in shown]),
            showlegend=False,
            **layout,
        ),
        height=bar_height(len(shown)),
    )
