"""Charts of estimates with their intervals, beside a line that marks no difference."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from staragents.base.estimate import Estimate
from staragents.report.chart import ACCENT, MUTED, Axis, Chart, bar_height, figure, names_axis


def interval_chart(
    name: str, title: str, note: str, shown: Sequence[tuple[str, Estimate]], shape: str, hover: str
) -> Chart:
    """One row for each named difference. `shape` formats the axis, `hover` is the text over a point."""
    if not shown:
        return Chart(name, title, note, None, "Nothing to compare.")
    names = [row for row, _ in shown]
    trace = interval_points([one for _, one in shown], [html.escape(row) for row in names], ACCENT)
    return Chart(
        name,
        title,
        note,
        figure(
            [trace | {"hovertemplate": hover}],
            Axis("", {"tickformat": shape, "nticks": 6}),
            names_axis(names),
            showlegend=False,
            shapes=[vertical_line(0)],
        ),
        height=bar_height(len(shown)),
    )


def interval_points(estimates: Sequence[Estimate], y: Sequence[Any], colour: str) -> dict[str, Any]:
    """A trace of means with their intervals along x. Its `customdata` are the ends of the intervals."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [one.mean for one in estimates],
        "y": list(y),
        "error_x": error_bars(estimates, colour),
        "marker": {"color": colour, "size": 9},
        "customdata": [[one.low, one.high] for one in estimates],
    }


def error_bars(estimates: Sequence[Estimate], colour: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [one.high - one.mean for one in estimates],
        "arrayminus": [one.mean - one.low for one in estimates],
        "color": colour,
    }


def vertical_line(x: float) -> dict[str, Any]:
    """A dotted line over the whole height of a chart."""
    position = {"x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper"}
    return {"type": "line", **position, "line": {"color": MUTED, "dash": "dot", "width": 1.5}}
