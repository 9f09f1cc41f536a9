"""Charts of reward over the seeds of a run, and of what memory changed."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from staragents.comparison.comparison import Row
from staragents.config import Cost
from staragents.report.chart import (
    ACCENT,
    MUTED,
    PALETTE,
    SECOND,
    Axis,
    Chart,
    figure,
    legend_height,
    seeds_axis,
)
from staragents.report.chart_data import Window


def reward_chart(windows: list[Window]) -> Chart:
    """Mean reward of the drawn pairs by position in the run, and the running mean."""
    known = [window for window in windows if window.reward is not None]
    ends = [window.end for window in known]
    total, rewards, running = 0.0, 0, []
    for window in known:
        total, rewards = total + (window.reward or 0.0) * window.rewards, rewards + window.rewards
        running.append(total / rewards)
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": "these seeds",
        "x": ends,
        "y": [window.reward for window in known],
        "customdata": [window.seeds for window in known],
        "marker": {"color": MUTED, "size": 6},
        "hovertemplate": "%{customdata} seeds up to %{x}: %{y:.3f}<extra></extra>",
    }
    return Chart(
        name="reward_course",
        title="Reward over the run",
        note="Mean reward per drawn pair, without base pairs, by position in the run. A rising line: the "
        "policy draws better pairs than at the start. The seeds differ too; `staragents diagnose` estimates "
        "what uniform draws would have earned on the same seeds.",
        figure=figure(
            [dots, {**_line("so far", ends, running, ACCENT), "hovertemplate": "%{y:.3f}<extra></extra>"}],
            seeds_axis(ends[-1]),
            Axis("mean reward", {"rangemode": "tozero"}),
        )
        if len(known) > 1
        else None,
        missing="No drawn pair has a reward, or too few seeds were finished.",
    )


def memory_chart(memory: dict[str, Any] | None, enabled: bool, cost: Cost = Cost.none) -> Chart:
    """Share of the draws that recall moved, and what that earned, in windows of the run. `cost`: reward.cost,
    which decides what is earned."""
    course = memory.get("course", []) if memory else []
    seeds = [point[0] for point in course]
    what = "reward" if cost is Cost.none else "reward per cost"
    traces = [
        _line("share of draws moved to other pairs", seeds, [point[1] for point in course], ACCENT),
        _line(f"{what} that this earned per draw", seeds, [point[2] for point in course], SECOND),
    ]
    return Chart(
        name="memory_effect",
        title="What memory changed",
        note="How much of the draws went to other pairs because of what was recalled for the seed, and what "
        "that earned: a doubly robust estimate from the logged probabilities, noisy in single windows. "
        "The findings have its total and interval.",
        figure=figure(traces, seeds_axis(int(seeds[-1])), Axis(), hovermode="closest")
        if enabled and len(course) > 1
        else None,
        missing="Run `staragents diagnose` on this run; or recall changed no draw."
        if enabled
        else "The memory bank was off.",
        height=330 + legend_height([str(trace["name"]) for trace in traces]),
    )


def courses_chart(rows: Sequence[Row]) -> Chart:
    """Running mean reward of every variant of a comparison."""
    shown = [row for row in rows if len(row.course) > 1]
    traces = [
        _line(
            html.escape(row.name),
            [int(seeds) for seeds, _ in row.course],
            [reward for _, reward in row.course],
            PALETTE[index % len(PALETTE)],
        )
        for index, row in enumerate(shown)
    ]
    return Chart(
        name="courses",
        title="Reward over the seeds",
        note="Running mean reward per drawn pair, by seeds done. Each variant has its own reward: compare "
        "only those with the same reward and judge settings, such as full and no-memory.",
        figure=figure(
            traces,
            seeds_axis(max(int(row.course[-1][0]) for row in shown)),
            Axis("mean reward so far", {"rangemode": "tozero"}),
        )
        if shown
        else None,
        missing="No variant has rewards of drawn pairs.",
        height=330 + legend_height([row.name for row in shown]),
    )


def _line(name: str, x: Sequence[float], y: Sequence[float], colour: str) -> dict[str, Any]:
    line = {"color": colour, "width": 2}
    return {"type": "scatter", "mode": "lines", "name": name, "x": list(x), "y": list(y), "line": line}
