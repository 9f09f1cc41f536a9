"""A chart: a plotly figure as plain data, a title and a note on how to read it."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import Any

Figure = dict[str, Any]

# Medium lightness, so that they are readable on white and on near-black.
ACCENT, MUTED, ALERT, SECOND = "#1f9e89", "#8b95a5", "#d9534f", "#4a7fd1"
PALETTE = (ACCENT, SECOND, "#e0903a", "#9268c4", "#c9578c", "#6f9e3b", "#3ba7c4", "#a67c52")

MAX_LABEL = 32
SHARE_AXIS: dict[str, Any] = {"range": [-0.03, 1.03], "dtick": 0.25}
"""Of an axis from 0 to 1, with space for the dots at its ends."""


@dataclass(frozen=True, slots=True)
class Chart:
    """`note` says how to read it. `figure` is None if there is nothing to show; `missing` says why."""

    name: str
    title: str
    note: str
    figure: Figure | None
    missing: str = ""
    height: int = 340


@dataclass(slots=True)
class Axis:
    """An axis without a frame; the page sets text and grid colours for its light or dark scheme."""

    title: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def layout(self) -> dict[str, Any]:
        return {"title": {"text": self.title}, "automargin": True, "zeroline": False, **self.more}


def figure(traces: list[dict[str, Any]], x: Axis, y: Axis, **layout: Any) -> Figure:
    """Traces on one pair of axes, with a transparent background and the legend below."""
    return {
        "data": traces,
        "layout": {
            "xaxis": x.layout(),
            "yaxis": y.layout(),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 8, "r": 12, "t": 32, "b": 8},
            "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
            "hoverlabel": {"align": "left"},
            **layout,
        },
    }


def label(text: str) -> str:
    """A short name for a legend or hover label. Plotly renders a subset of HTML there, so it is escaped."""
    if len(text) > MAX_LABEL:
        # Cut in the middle: a pair's two agents differ at both ends.
        half = (MAX_LABEL - 3) // 2
        text = f"{text[:half]}...{text[-half:]}"
    return html.escape(text)


def seeds_axis(seeds: int) -> Axis:
    """Position in the run; integer ticks even for few seeds."""
    step = {"dtick": 1} if seeds <= 10 else {"nticks": 7}
    return Axis("seeds done", {"rangemode": "tozero", "tickformat": ",", **step})


def names_axis(names: list[str], **more: Any) -> Axis:
    """A vertical axis with one row per name, the first on top. Only the displayed labels are shortened,
    because shortened keys could collide; traces use `html.escape(name)` as their y.
    """
    ticks = {"tickmode": "array", "tickvals": [html.escape(name) for name in names]}
    return Axis(
        more={
            **ticks,
            "ticktext": [label(name) for name in names],
            "range": [len(names) - 0.5, -0.5],
            "showgrid": False,
            "ticksuffix": " ",
            **more,
        }
    )


def legend_height(names: list[str]) -> int:
    """Height in pixels of the legend below a plot, also on a phone."""
    per_line = 2 if max(map(len, names), default=0) <= 20 else 1
    return 20 * math.ceil(len(names) / per_line)


def bar_height(bars: int) -> int:
    """Height in pixels of a chart of horizontal bars or rows."""
    return 96 + 34 * max(bars, 2)
