"""A comparison as one HTML page that opens offline."""

from __future__ import annotations

from staragents.comparison.comparison import Comparison
from staragents.report.chart import Chart
from staragents.report.course_charts import courses_chart
from staragents.report.interval_chart import interval_chart
from staragents.report.page import rendered

MEASURES = {
    "win": ("Judge", "Mean probability that the common judge prefers a variant's row to the seed.", ".3f"),
    "improved": ("Improved", "Share of seeds for which the common judge prefers the variant's row.", ".0%"),
    "target_ifd": ("Target IFD", "Mean IFD of the dataset under the target model.", ".3f"),
}


def page_of(result: Comparison) -> str:
    """The complete page."""
    drawn = charts(result)
    return rendered("compare.html.j2", drawn, result=result, charts=drawn)


def charts(result: Comparison) -> list[Chart]:
    """One chart per measure: each variant minus the reference on the same seeds; then the course of
    rewards."""
    measures = [_against(result, name, *texts) for name, texts in MEASURES.items()]
    return [*measures, courses_chart(result.rows)]


def _against(result: Comparison, measure: str, title: str, note: str, shape: str) -> Chart:
    differences = [(row.name, (row.against or {}).get(measure)) for row in result.rows]
    shown = [(name, one) for name, one in differences if one is not None]
    return interval_chart(
        measure,
        f"{title}, difference from {result.reference}",
        f"{note} Whiskers are 95 % intervals; a difference whose interval crosses the line may be chance."
        if shown
        else note,
        shown,
        f"+{shape}",
        "%{y}: %{x:+" + shape + "}<extra></extra>",
    )
