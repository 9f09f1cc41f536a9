"""Charts of the run itself: funnel, losses, cost by stage, memory bank."""

from __future__ import annotations

import html
from typing import Any

from staragents.report.chart import (
    ACCENT,
    ALERT,
    MUTED,
    SECOND,
    Axis,
    Chart,
    bar_height,
    figure,
    names_axis,
    seeds_axis,
)
from staragents.report.chart_data import Window

FUNNEL = ("drawn", "generated", "scored", "judged", "accepted")
COUNT_AXIS: dict[str, Any] = {"rangemode": "tozero", "tickformat": ",", "nticks": 5}


def funnel_chart(funnel: dict[str, Any]) -> Chart:
    counts = [funnel[step] for step in FUNNEL]
    drawn = funnel["drawn"]
    texts = [f"{count:,}" + (f"  {count / drawn:.0%}" if drawn else "") for count in counts]
    bars = _counted([step.capitalize() for step in FUNNEL], counts, texts, [MUTED] * 4 + [ACCENT])
    return Chart(
        name="funnel",
        title="From drawn pairs to accepted samples",
        note="Each bar counts candidates, with their share of all drawn candidates. At most one per seed "
        "is accepted.",
        figure=figure(
            [bars],
            _silent_axis(counts, texts),
            names_axis([step.capitalize() for step in FUNNEL]),
            bargap=0.35,
        )
        if drawn
        else None,
        missing="No candidate was drawn.",
        height=bar_height(5),
    )


def losses_chart(funnel: dict[str, Any], limit: int = 10) -> Chart:
    losses = [(f"rejected: {reason}", count, MUTED) for reason, count in funnel["rejected"].items()]
    losses += [(f"failed: {stage}", count, ALERT) for stage, count in funnel["failed"].items()]
    losses += [(f"filtered: {name}", count, MUTED) for name, count in funnel.get("filtered", {}).items()]
    losses = sorted(losses, key=lambda loss: loss[1], reverse=True)[:limit]
    counts = [count for _, count, _ in losses]
    texts = [f"{count:,}" for count in counts]
    bars = _counted(
        [name for name, _, _ in losses],
        counts,
        texts,
        [colour for _, _, colour in losses],
    )
    return Chart(
        name="losses",
        title="Where candidates were lost",
        note="Grey: the text broke a rule and was rejected, or a filter dropped it from the dataset. Red: an "
        "engine or actor failed. The rows are in quarantine.parquet and filtered.parquet.",
        figure=figure(
            [bars], _silent_axis(counts, texts), names_axis([name for name, _, _ in losses]), bargap=0.35
        )
        if losses
        else None,
        missing="Nothing was rejected and nothing failed.",
        height=bar_height(len(losses)),
    )


def tokens_chart(stages: dict[str, dict[str, float]]) -> Chart:
    names = list(stages)
    thought = [stages[name].get("reasoning_tokens", 0) for name in names]
    written = [stages[name]["tokens_out"] - part for name, part in zip(names, thought, strict=True)]
    traces = [
        _stage_bars("read by the model", names, [stages[name]["tokens_in"] for name in names], MUTED),
        _stage_bars("written", names, written, ACCENT),
    ]
    if any(thought):
        traces.insert(1, _stage_bars("thought", names, thought, SECOND))
    return Chart(
        name="tokens",
        title="Tokens by stage",
        note="Prompt tokens and generated tokens of every model call, including retries of unreadable "
        "verdicts. Scoring generates no tokens.",
        figure=_stacked(traces, names) if any(sum(trace["x"]) for trace in traces) else None,
        missing="No tokens were counted.",
        height=bar_height(len(names)),
    )


def seconds_chart(stages: dict[str, dict[str, float]]) -> Chart:
    names = list(stages)
    bars = _stage_bars("seconds", names, [stages[name]["seconds"] for name in names], SECOND)
    return Chart(
        name="seconds",
        title="Seconds by stage",
        note="Total time of all requests in their engine. Engines process many requests concurrently, "
        "so the total can exceed the wall time of the run.",
        figure=_stacked([bars], names) if sum(bars["x"]) else None,
        missing="No time was measured.",
        height=bar_height(len(names)),
    )


def recall_chart(windows: list[Window], enabled: bool) -> Chart:
    shown = enabled and bool(windows)
    line = {
        "type": "scatter",
        "mode": "lines+markers" if len(windows) < 15 else "lines",
        "x": [window.end for window in windows],
        "y": [window.hit_rate for window in windows],
        "line": {"color": ACCENT, "width": 2, "shape": "linear"},
        "fill": "tozeroy",
        "fillcolor": "rgba(31,158,137,0.12)",
        "customdata": [window.seeds for window in windows],
        "hovertemplate": "seeds up to %{x}: %{y:.0%} of %{customdata}<extra></extra>",
    }
    return Chart(
        name="recall",
        title="Memory bank: share of seeds with recalled neighbours",
        note="Share of seeds for which similar instructions were recalled, by position in the run. With "
        "memory.keep=winners it is 0 during the warm-up.",
        figure=figure(
            [line],
            seeds_axis(windows[-1].end),
            Axis(more={"range": [0, 1.03], "tickformat": ".0%"}),
        )
        if shown
        else None,
        missing="No seed was finished." if enabled else "The memory bank was off.",
    )


def _counted(names: list[str], counts: list[int], texts: list[str], colours: list[str]) -> dict[str, Any]:
    """Bars labelled with their count."""
    return {
        "type": "bar",
        "orientation": "h",
        "x": counts,
        "y": [html.escape(name) for name in names],
        "text": texts,
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": colours},
        "hoverinfo": "skip",
    }


def _silent_axis(counts: list[int], texts: list[str]) -> Axis:
    """No ticks, because the bars carry their counts, with space for the labels on a phone, where 20
    characters are as wide as the longest bar."""
    room = 1 + max(map(len, texts), default=0) / 20
    return Axis(more={"visible": False, "range": [0, room * max(counts, default=1)]})


def _stage_bars(name: str, stages: list[str], values: list[float], colour: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": values,
        "y": [html.escape(stage) for stage in stages],
        "marker": {"color": colour},
        "hovertemplate": f"%{{y}}: %{{x:,.0f}} {name}<extra></extra>",
    }


def _stacked(traces: list[dict[str, Any]], stages: list[str]) -> dict[str, Any]:
    return figure(
        traces,
        Axis(more=COUNT_AXIS),
        names_axis(stages),
        barmode="stack",
        bargap=0.35,
        showlegend=len(traces) > 1,
    )
