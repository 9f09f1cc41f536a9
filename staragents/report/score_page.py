"""Writes the histograms of `staragents score` as one HTML page that opens offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from staragents.files.atomic_file import write_text
from staragents.report.chart import ACCENT, MUTED, SECOND, Axis, Chart, figure
from staragents.report.interval_chart import vertical_line
from staragents.report.page import rendered

_COLOURS = {"target": ACCENT, "larger": SECOND}
# The summary's bins of 0.01 are too fine for a few hundred rows.
_BINS_PER_BAR = 5


def write_score_page(path: Path, summary: dict[str, Any]) -> None:
    """Write the page of a summary from ScoreJob atomically."""
    roles = list(summary["models"])
    charts = [_ifd_chart(summary, roles)]
    if "ifd_gap" in summary:
        charts.append(_gap_chart(summary["ifd_gap"]))
    page = rendered("score.html.j2", charts, summary=summary, roles=roles, charts=charts)
    write_text(path, page)


def _ifd_chart(summary: dict[str, Any], roles: list[str]) -> Chart:
    traces = [
        _bars(role, summary[role]["ifd"], _COLOURS[role]) for role in roles if summary[role]["ifd"]["rows"]
    ]
    layout = {"barmode": "overlay", "shapes": [vertical_line(1.0)], "bargap": 0.04}
    return Chart(
        "ifd",
        "IFD",
        "Below 1, the prompt helps; high values below 1 are hard to follow. At 1 or more, prompt and "
        "response do not match. The last bar contains all values of 2 or more.",
        figure(traces, Axis("IFD"), Axis("rows", {"rangemode": "tozero"}), **layout) if traces else None,
        "No row has an IFD.",
    )


def _gap_chart(gaps: dict[str, Any]) -> Chart:
    traces = [_bars("gap", gaps, MUTED)] if gaps["rows"] else []
    layout = {"shapes": [vertical_line(0.0)], "bargap": 0.04}
    return Chart(
        "gap",
        "IFD gap",
        "IFD of the target minus that of the larger model. A large gap: hard for the target, but feasible.",
        figure(traces, Axis("gap"), Axis("rows", {"rangemode": "tozero"}), **layout) if traces else None,
        "No row has both IFDs.",
    )


def _bars(name: str, spread: dict[str, Any], colour: str) -> dict[str, Any]:
    histogram = spread["histogram"]
    counts, low, width = histogram["counts"], histogram["from"], histogram["bin"] * _BINS_PER_BAR
    bars = [sum(counts[i : i + _BINS_PER_BAR]) for i in range(0, len(counts), _BINS_PER_BAR)]
    used = [index for index, rows in enumerate(bars) if rows]
    shown = range(used[0], used[-1] + 1)
    return {
        "type": "bar",
        "name": name,
        "x": [round(low + (index + 0.5) * width, 4) for index in shown],
        "y": [bars[index] for index in shown],
        "customdata": [f"{low + i * width:.2f} to {low + (i + 1) * width:.2f}" for i in shown],
        "hovertemplate": "%{customdata}: %{y:,} rows<extra>" + name + "</extra>",
        "marker": {"color": colour},
        "opacity": 0.7,
    }
