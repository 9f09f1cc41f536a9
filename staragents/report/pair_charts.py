"""Charts of agent pairs: probability in the next draw, mean reward over the run, single rewards."""

from __future__ import annotations

import html
from typing import Any

from staragents.analysis.timeline import Snapshot
from staragents.base.statistics import Sample
from staragents.config import Cost
from staragents.evolution.policy import PairStats
from staragents.report.chart import (
    ACCENT,
    MUTED,
    PALETTE,
    SECOND,
    SHARE_AXIS,
    Axis,
    Chart,
    bar_height,
    figure,
    label,
    legend_height,
    names_axis,
    seeds_axis,
)
from staragents.reward.cost import learned_value

BANDS = 4


def policy_chart(snapshots: list[Snapshot], policy: str) -> Chart:
    """The pairs with the highest final probability in colour, the others in grey."""
    last = snapshots[-1].pair_stats if snapshots else []
    order = [s.pair for s in sorted(last, key=lambda s: s.probability, reverse=True)]
    traces = [
        {**_pair_line(snapshots, pair, MUTED), "opacity": 0.5, "showlegend": False}
        for pair in order[len(PALETTE) :]
    ]
    traces += [_pair_line(snapshots, pair, colour) for pair, colour in zip(order, PALETTE, strict=False)]
    return Chart(
        name="policy",
        title="Pairs that the policy prefers",
        note=f"Probability of each pair in the next draw, by seeds done (policy: {policy}). Diverging lines: "
        "the policy found a difference. Grey: pairs that ended low. Base pairs are always called and "
        "not shown.",
        figure=figure(
            traces,
            seeds_axis(snapshots[-1].seeds),
            Axis(more={"rangemode": "tozero", "tickformat": ".0%"}),
            hovermode="closest",
        )
        if len(snapshots) > 1 and traces
        else None,
        missing="No seed was finished, or there are only base pairs.",
        height=330 + legend_height(order[: len(PALETTE)]),
    )


def beliefs_chart(snapshots: list[Snapshot], cost: Cost) -> Chart:
    """Running means of the pairs that ended highest; more bands would hide each other. `cost`: reward.cost,
    which decides what the policy learns."""
    last = snapshots[-1].pair_stats if snapshots else []
    order = sorted(last, key=lambda s: s.probability, reverse=True)[:BANDS]
    traces = [
        trace
        for index, stats in enumerate(order)
        for trace in _belief_band(snapshots, stats.pair, PALETTE[index])
    ]
    others = f" Only the {BANDS} pairs that ended highest are shown." if len(last) > BANDS else ""
    what = "reward" if cost is Cost.none else "reward per cost"
    formula = "" if cost is Cost.none else f" (what the policy learns: {learned_value(cost)})"
    return Chart(
        name="beliefs",
        title=f"Mean {what} by pair over the run",
        note=f"Mean {what}{formula} by seeds done, with its 90 % interval. Overlapping bands: not decided "
        f"yet. Bands narrow as a pair is drawn more often.{others}",
        figure=figure(
            traces,
            seeds_axis(snapshots[-1].seeds),
            Axis(f"mean {what}", {"range": [0, 1], "dtick": 0.25}),
        )
        if len(snapshots) > 1 and traces
        else None,
        missing="No seed was finished, or there are only base pairs.",
        height=330 + legend_height([stats.pair for stats in order]),
    )


def rewards_chart(pairs: dict[str, dict[str, Any]], rewards: dict[str, Sample[float]]) -> Chart:
    """Single rewards as dots, with mean and interval on top, best pair first."""
    names = sorted((n for n in pairs if pairs[n]["reward"] is not None), key=lambda n: -pairs[n]["reward"])
    dots = [
        {
            "type": "box",
            "orientation": "h",
            "x": rewards[name].items,
            "y": [html.escape(name)] * len(rewards[name].items),
            "boxpoints": "all",
            "pointpos": 0,
            "jitter": 0.7,
            "line": {"color": "rgba(0,0,0,0)"},
            "fillcolor": "rgba(0,0,0,0)",
            "marker": {"color": MUTED, "size": 4, "opacity": 0.45},
            "hoverinfo": "skip",
            "showlegend": False,
        }
        for name in names
        if name in rewards
    ]
    means = [(pairs[name]["reward"], *pairs[name]["reward_interval_90"]) for name in names]
    colours = [SECOND if pairs[name]["base"] else ACCENT for name in names]
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": [mean for mean, _, _ in means],
        "y": [html.escape(name) for name in names],
        "error_x": _spread(means, ACCENT),
        "marker": {"size": 10, "symbol": "diamond", "color": colours},
        "customdata": [[pairs[name]["accepted"], pairs[name]["drawn"]] for name in names],
        "hovertemplate": "%{y}: mean %{x:.3f}, %{customdata[0]} of %{customdata[1]} accepted<extra></extra>",
        "showlegend": False,
    }
    return Chart(
        name="rewards",
        title="Reward by pair",
        note="Dots: single candidates (a sample). Diamond: mean with its 90 % interval; blue for base pairs. "
        "With reward.composite=product, reward is difficulty times judge win, so many are exactly 0.",
        figure=figure([*dots, points], Axis("reward", SHARE_AXIS), names_axis(names)) if names else None,
        missing="No candidate has a reward.",
        height=bar_height(len(names)),
    )


def _pair_line(snapshots: list[Snapshot], pair: str, colour: str) -> dict[str, Any]:
    pair_stats = _pair_stats(snapshots, pair)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label(pair),
        "x": [snapshot.seeds for snapshot in snapshots],
        "y": [s.probability for s in pair_stats],
        "line": {"color": colour, "width": 2},
        "customdata": [s.observations for s in pair_stats],
        "hovertemplate": "after %{x} seeds: %{y:.1%}, %{customdata} observations",
    }


def _belief_band(snapshots: list[Snapshot], pair: str, colour: str) -> list[dict[str, Any]]:
    pair_stats = _pair_stats(snapshots, pair)
    seeds = [snapshot.seeds for snapshot in snapshots]
    band = {
        "type": "scatter",
        "mode": "none",
        "x": [*seeds, *reversed(seeds)],
        "y": [*(s.high for s in pair_stats), *(s.low for s in reversed(pair_stats))],
        "fill": "toself",
        "fillcolor": f"{colour}26",
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": label(pair),
    }
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": label(pair),
        "x": seeds,
        "y": [s.mean_reward for s in pair_stats],
        "line": {"color": colour, "width": 2},
        "customdata": [[s.low, s.high] for s in pair_stats],
        "hovertemplate": "after %{x} seeds: %{y:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f})",
        "legendgroup": label(pair),
    }
    return [band, line]


def _pair_stats(snapshots: list[Snapshot], pair: str) -> list[PairStats]:
    return [next(s for s in snapshot.pair_stats if s.pair == pair) for snapshot in snapshots]


def _spread(values: list[tuple[float, float, float]], colour: str) -> dict[str, Any]:
    """Error bars for (mean, low, high)."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - mean for mean, _, high in values],
        "arrayminus": [mean - low for mean, low, _ in values],
        "color": colour,
        "thickness": 1.5,
        "width": 4,
    }
