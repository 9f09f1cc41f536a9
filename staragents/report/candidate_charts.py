"""Charts with a dot for each candidate: its IFD under both models, its verdicts in both orders."""

from __future__ import annotations

from typing import Any

from staragents.base.statistics import Sample
from staragents.report.chart import ACCENT, MUTED, PALETTE, SHARE_AXIS, Axis, Chart, figure, label
from staragents.report.chart_data import IfdPoint, VerdictPoint


def ifd_chart(accepted: Sample[IfdPoint], others: Sample[IfdPoint]) -> Chart:
    points = [*others.items, *accepted.items]
    # Scale to the 97th percentile, so that outliers don't compress the plot; zooming out shows them.
    ends = sorted(max(point.target, point.larger) for point in points)
    top = max(1.25, ends[int(0.97 * (len(ends) - 1))] * 1.05) if ends else 1.25
    seen = accepted.seen + others.seen
    sampled = f" A sample of {len(points):,} of {seen:,}." if seen > len(points) else ""
    return Chart(
        name="ifd",
        title="IFD under the target and the larger model",
        note="Instruction-following difficulty of each candidate; above 1, the instruction makes the "
        "response less likely. Samples in the shaded region are the most valuable: hard for the target "
        f"model, easier for the larger one.{sampled}",
        figure=figure(
            [
                _ifd_points("not accepted", others.items, MUTED, 5),
                _ifd_points("accepted", accepted.items, ACCENT, 8),
            ],
            Axis("IFD, target model", {"range": [0, top]}),
            Axis("IFD, larger model", {"range": [0, top]}),
            shapes=[
                {
                    "type": "path",
                    "path": "M 0 0 L 1 0 L 1 1 Z",
                    "fillcolor": "rgba(31,158,137,0.13)",
                    "line": {"width": 0},
                    "layer": "below",
                }
            ],
        )
        if points
        else None,
        missing="No candidate was scored by both models.",
        height=470,
    )


def judge_chart(verdicts: Sample[VerdictPoint]) -> Chart:
    agree = [point for point in verdicts.items if point.agree]
    differ = [point for point in verdicts.items if not point.agree]
    diagonal = {"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "layer": "below"}
    return Chart(
        name="judge",
        title="Verdicts in both orders",
        note="Each dot is a candidate: its win probability when shown first and when shown second. Below the "
        "diagonal: the first position helps. Orange: the two verdicts contradict each other.",
        figure=figure(
            [
                _verdict_points("both orders agree", agree, ACCENT),
                _verdict_points("orders disagree", differ, PALETTE[2]),
            ],
            Axis("win when shown first", SHARE_AXIS),
            Axis("win when shown second", SHARE_AXIS),
            shapes=[{**diagonal, "line": {"color": MUTED, "width": 1, "dash": "dot"}}],
        )
        if verdicts.items
        else None,
        missing="No candidate was judged in both orders.",
        height=470,
    )


def _ifd_points(name: str, points: list[IfdPoint], colour: str, size: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [point.target for point in points],
        "y": [point.larger for point in points],
        "marker": {"color": colour, "size": size, "opacity": 0.65},
        "customdata": [[label(point.pair), label(point.candidate_id[:8])] for point in points],
        "hovertemplate": "%{customdata[0]}<br>target %{x:.3f}, larger %{y:.3f}<br>%{customdata[1]}"
        "<extra></extra>",
    }


def _verdict_points(name: str, points: list[VerdictPoint], colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [point.first for point in points],
        "y": [point.second for point in points],
        "marker": {"color": colour, "size": 6, "opacity": 0.6},
        "customdata": [label(point.pair) for point in points],
        "hovertemplate": "%{customdata}<br>first %{x:.2f}, second %{y:.2f}<extra></extra>",
    }
